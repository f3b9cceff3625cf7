/**
 * Followed threads: what of each was not read, and sums over all of them.
 *
 * In: lists of the server's and its events. Out: the next state. Pure.
 * Not here: the messages of a thread (`chat`), which are its channel's.
 * Invariant: the sums hold for threads that are not loaded, too; a thread that is known counts in them as it is known.
 */
import type {Post} from '@mattermost/types/posts';
import type {UserThreadList, UserThreadWithPost} from '@mattermost/types/threads';

export interface Thread {
    /** The first message, as it was when the thread was told of. */
    root: Post;
    replyCount: number;
    lastReplyAt: number;
    /** Until when this person has read; 0 for never. */
    viewedAt: number;
    unread: number;
    mentions: number;
    /** Who answered, the last one last. */
    people: readonly string[];
}

export interface Threads {
    /** Those that are followed, as far as loaded, by their first message. */
    byId: Readonly<Record<string, Thread>>;
    /** Threads that were asked for one by one and are not followed. */
    notFollowed: Readonly<Record<string, boolean>>;
    /** The list was asked for once; all of it is loaded. */
    loaded: boolean;
    complete: boolean;
    unreadThreads: number;
    mentions: number;
}

export const emptyThreads: Threads = {byId: {}, notFollowed: {}, loaded: false, complete: false, unreadThreads: 0, mentions: 0};

/** What was unread before something happened. */
export interface Counts {
    unread: number;
    mentions: number;
}

const nothing: Counts = {unread: 0, mentions: 0};

export function readThread(thread: UserThreadWithPost): Thread {
    return {
        root: thread.post,
        replyCount: thread.reply_count,
        lastReplyAt: thread.last_reply_at,
        viewedAt: thread.last_viewed_at,
        unread: thread.unread_replies,
        mentions: thread.unread_mentions,
        people: (thread.participants ?? []).map(({id}) => id),
    };
}

/** A page of the list; `fresh`: the first one, which takes the place of what was known. */
export function withThreadPage(threads: Threads, list: UserThreadList, pageSize: number, fresh: boolean): Threads {
    const byId: Record<string, Thread> = fresh ? {} : {...threads.byId};
    for (const thread of list.threads) {
        byId[thread.id] = readThread(thread);
    }
    return {
        byId, notFollowed: fresh ? {} : threads.notFollowed, loaded: true, complete: list.threads.length < pageSize,
        unreadThreads: list.total_unread_threads ?? 0, mentions: list.total_unread_mentions ?? 0,
    };
}

/** `before`: what was unread of it, for a thread that is not known here; without it the sums hold it already. */
export function withThread(threads: Threads, id: string, thread: Thread, before?: Counts): Threads {
    const {[id]: _, ...notFollowed} = threads.notFollowed;
    return {...recounted(threads, threads.byId[id] ?? before ?? thread, thread), byId: {...threads.byId, [id]: thread}, notFollowed};
}

export function withoutThread(threads: Threads, id: string): Threads {
    const {[id]: gone, ...byId} = threads.byId;
    const next = {...threads, notFollowed: {...threads.notFollowed, [id]: true}};
    return gone ? {...recounted(next, gone, nothing), byId} : next;
}

/** Read up to a time, or unread again from it on. */
export function withThreadRead(threads: Threads, id: string, viewedAt: number, now: Counts, before: Counts): Threads {
    const known = threads.byId[id];
    const next = recounted(threads, known ?? before, now);
    return known ? {...next, byId: {...threads.byId, [id]: {...known, ...now, viewedAt}}} : next;
}

/** All threads of a channel were read, or (without `channelId`) all there are. */
export function withAllRead(threads: Threads, viewedAt: number, channelId = ''): Threads {
    const ids = Object.keys(threads.byId).filter((id) => {
        const thread = threads.byId[id];
        return thread !== undefined && thread.unread + thread.mentions > 0 && (channelId === '' || thread.root.channel_id === channelId);
    });
    const next = ids.reduce((all, id) => withThreadRead(all, id, viewedAt, nothing, nothing), threads);
    return channelId === '' && next.unreadThreads + next.mentions > 0 ? {...next, unreadThreads: 0, mentions: 0} : next;
}

export function withoutThreadsOf(threads: Threads, channelId: string): Threads {
    const ids = Object.keys(threads.byId).filter((id) => threads.byId[id]?.root.channel_id === channelId);
    return ids.reduce(withoutThread, threads);
}

/** Those with answers, the one with the newest answer first. */
export function listedThreads(threads: Threads, onlyUnread: boolean): [string, Thread][] {
    return Object.entries(threads.byId).filter(([, {replyCount, unread}]) => replyCount > 0 && (!onlyUnread || unread > 0))
        .sort(([a, one], [b, other]) => other.lastReplyAt - one.lastReplyAt || (a < b ? 1 : -1));
}

/** Null where it is not known: the list holds threads with answers only. */
export function isFollowed(threads: Threads, id: string, replies: number): boolean | null {
    return threads.byId[id] ? true : (threads.complete && replies > 0) || threads.notFollowed[id] ? false : null;
}

/** The line of what is new in an open thread. */
export interface Line {
    rootId: string;
    /** Until when it was read, as last known; negative while it is not. */
    viewed: number;
    /** Where the line stands; 0 without one. */
    at: number;
}

/**
 * What comes while the thread is in sight is no news: the line stands where the person had read to when it was
 * opened, where it was made unread from, or before what came out of sight.
 */
export function lineAfter(line: Line, rootId: string, viewed: number, unread: boolean, hidden: boolean): Line {
    if (line.rootId === rootId && line.viewed === viewed) {
        return hidden && unread && line.at === 0 && viewed > 0 ? {...line, at: viewed} : line;
    }
    const first = line.rootId !== rootId || line.viewed < 0;
    const back = !first && viewed < line.viewed;
    return {rootId, viewed, at: (first || back) && unread ? Math.max(0, viewed) : first ? 0 : line.at};
}

function recounted(threads: Threads, before: Counts, after: Counts): Threads {
    const one = ({unread}: Counts): number => (unread > 0 ? 1 : 0);
    return {
        ...threads,
        unreadThreads: Math.max(0, threads.unreadThreads + one(after) - one(before)),
        mentions: Math.max(0, threads.mentions + after.mentions - before.mentions),
    };
}
