/**
 * People, channels and messages that this page knows of.
 *
 * In: what the messaging API returned or announced. Out: the next state. Pure.
 * Invariant: `postIds` of a channel are in order of creation and name only posts that are known.
 */
import type {Channel, ChannelMembership, ServerChannel} from '@mattermost/types/channels';
import type {Post} from '@mattermost/types/posts';
import type {Team} from '@mattermost/types/teams';
import type {UserProfile} from '@mattermost/types/users';
import {say} from '../words/words';
import {within, type Reach} from './reach';

export interface Chat {
    me: UserProfile | null;
    users: Readonly<Record<string, UserProfile>>;
    teams: readonly Team[];
    teamId: string;
    /** Teams that this person manages. */
    managed: readonly string[];
    channels: Readonly<Record<string, Channel>>;
    channelId: string;
    posts: Readonly<Record<string, Post>>;
    postIds: Readonly<Record<string, readonly string[]>>;
    /** Which part of each channel's messages is loaded without holes. */
    reach: Readonly<Record<string, Reach>>;
    /** Channels whose earliest message is loaded. */
    complete: Readonly<Record<string, boolean>>;
    unread: Readonly<Record<string, number>>;
    /** Unread messages that name this person. */
    mentions: Readonly<Record<string, number>>;
    /** Until when this person had read a channel before it was opened: where the line stands. */
    readUntil: Readonly<Record<string, number>>;
    /** The own membership: rights, and what was read. */
    memberships: Readonly<Record<string, ChannelMembership>>;
    /** Root post of the open thread; empty when none is open. */
    threadId: string;
    /** The list of threads is shown in the place of a channel. */
    threadsOpen: boolean;
    /** This person wants answers counted in their threads only, not in the channel. */
    apart: boolean;
    /** A message that was searched for: it is gone to, and marked. */
    found: string;
}

export const emptyChat: Chat = {
    me: null, users: {}, teams: [], teamId: '', managed: [], channels: {}, channelId: '', posts: {}, postIds: {}, reach: {}, complete: {}, unread: {}, mentions: {}, readUntil: {}, memberships: {}, threadId: '', threadsOpen: false, apart: false, found: '',
};

export function withUsers(chat: Chat, users: readonly UserProfile[]): Chat {
    if (users.length === 0) {
        return chat;
    }
    const next = {...chat.users};
    users.forEach((user) => {
        next[user.id] = user;
    });
    return {...chat, users: next};
}

export function withChannels(chat: Chat, channels: readonly Channel[]): Chat {
    const next = {...chat.channels};
    channels.forEach((channel) => {
        next[channel.id] = channel;
    });
    return {...chat, channels: next};
}

export function withoutChannel(chat: Chat, channelId: string): Chat {
    const channels = {...chat.channels};
    delete channels[channelId];
    return {...chat, channels, channelId: chat.channelId === channelId ? '' : chat.channelId};
}

export function withPosts(chat: Chat, added: readonly Post[]): Chat {
    if (added.length === 0) {
        return chat;
    }
    const posts = {...chat.posts};
    const postIds: Record<string, readonly string[]> = {...chat.postIds};
    const touched = new Set<string>();
    for (const post of added) {
        const known = posts[post.id];
        if (known && known.update_at > post.update_at) {
            continue;
        }
        posts[post.id] = post;
        if (!known) {
            postIds[post.channel_id] = [...(postIds[post.channel_id] ?? []), post.id];
            touched.add(post.channel_id);
        }
    }
    for (const channelId of touched) {
        const created = (id: string): number => posts[id]?.create_at ?? 0;
        postIds[channelId] = [...(postIds[channelId] ?? [])].sort((a, b) => created(a) - created(b) || (a < b ? -1 : 1));
    }
    return {...chat, posts, postIds};
}

export function withoutPost(chat: Chat, postId: string): Chat {
    const post = chat.posts[postId];
    if (!post) {
        return chat;
    }
    const posts = {...chat.posts};
    delete posts[postId];
    const ids = (chat.postIds[post.channel_id] ?? []).filter((id) => id !== postId);
    return {...chat, posts, postIds: {...chat.postIds, [post.channel_id]: ids}, reach: withoutEdge(chat, post)};
}

/** What begins or ends with a message that goes begins or ends with its neighbour. */
function withoutEdge(chat: Chat, {id, channel_id: channelId}: Post): Chat['reach'] {
    const reach = chat.reach[channelId];
    if (reach?.from !== id && reach?.to !== id) {
        return chat.reach;
    }
    const ids = chat.postIds[channelId] ?? [];
    const at = ids.indexOf(id);
    const from = reach.from === id ? ids[at + 1] ?? '' : reach.from;
    const to = reach.to === id ? ids[at - 1] ?? '' : reach.to;
    return {...chat.reach, [channelId]: {from, to}};
}

/** A message came in: known from now on, and counted unless the person sees or wrote it. */
export function withArrival(chat: Chat, post: Post, seen: boolean, namesMe = false): Chat {
    const fresh = chat.posts[post.id] === undefined;
    const next = withPosts(chat, [post]);
    if (!fresh || seen || post.user_id === chat.me?.id || (chat.apart && post.root_id !== '')) {
        return next;
    }
    const oneMore = (counts: Chat['unread']): Chat['unread'] => ({...counts, [post.channel_id]: (counts[post.channel_id] ?? 0) + 1});
    // The line stands before the first message that nobody looked at.
    const readUntil = (chat.unread[post.channel_id] ?? 0) === 0
        ? {...next.readUntil, [post.channel_id]: post.create_at - 1} : next.readUntil;
    return {...next, readUntil, unread: oneMore(next.unread), ...(namesMe ? {mentions: oneMore(next.mentions)} : {})};
}

/** What the server counts as unread, for channels that are not open here. */
export function withMemberships(chat: Chat, memberships: readonly ChannelMembership[]): Chat {
    const next = {memberships: {...chat.memberships}, unread: {...chat.unread}, mentions: {...chat.mentions}, readUntil: {...chat.readUntil}};
    for (const member of memberships) {
        const id = member.channel_id;
        next.memberships[id] = member;
        const channel = chat.channels[id];
        if (channel && id !== chat.channelId) {
            next.unread[id] = Math.max(0, chat.apart ? rootsIn(channel) - member.msg_count_root : messagesIn(channel) - member.msg_count);
            next.mentions[id] = chat.apart ? member.mention_count_root : member.mention_count;
            next.readUntil[id] = member.last_viewed_at;
        }
    }
    return {...chat, ...next};
}

/** An answer that only this person is shown, and that nobody finds again. */
export function isWhispered(post: Post): boolean {
    return post.type === 'system_ephemeral';
}

/** The channel was read, here or in another window. */
export function withRead(chat: Chat, channelId: string): Chat {
    const isRead = (chat.unread[channelId] ?? 0) === 0 && (chat.mentions[channelId] ?? 0) === 0;
    return isRead ? chat : {...chat, unread: {...chat.unread, [channelId]: 0}, mentions: {...chat.mentions, [channelId]: 0}};
}

/** Where what is new begins, of messages in order; undefined when all was read. */
export function firstUnread(posts: readonly Post[], readUntil: number, myId: string): string | undefined {
    return readUntil === 0 ? undefined : posts.find((post) => post.create_at > readUntil && post.user_id !== myId)?.id;
}

export function opened(chat: Chat, channelId: string): Chat {
    const readUntil = (chat.unread[channelId] ?? 0) > 0 ? chat.readUntil : {...chat.readUntil, [channelId]: 0};
    return {...withRead(chat, channelId), readUntil, channelId, threadId: '', threadsOpen: false, found: ''};
}

/** The list of threads in the place of the channel. */
export function openedThreads(chat: Chat): Chat {
    return {...chat, channelId: '', threadId: '', threadsOpen: true, found: ''};
}

/** Root messages of a channel, oldest first, of the part that has no holes. */
export function rootsOf(chat: Chat, channelId: string): Post[] {
    const reach = chat.reach[channelId];
    return known(chat, channelId).filter((post) => post.root_id === '' && within(post, reach, chat.posts));
}

/** The root and its replies, oldest first. */
export function threadOf(chat: Chat, rootId: string): Post[] {
    const root = chat.posts[rootId];
    return root ? known(chat, root.channel_id).filter((post) => post.id === rootId || post.root_id === rootId) : [];
}

/** How many replies each root of the channel has, as far as loaded. */
export function replyCounts(chat: Chat, channelId: string): Map<string, number> {
    const counts = new Map<string, number>();
    for (const post of known(chat, channelId)) {
        if (post.root_id !== '') {
            counts.set(post.root_id, (counts.get(post.root_id) ?? 0) + 1);
        }
    }
    return counts;
}

export function displayName(user: UserProfile | undefined): string {
    if (!user) {
        return say('people_somebody');
    }
    return user.nickname || `${user.first_name} ${user.last_name}`.trim() || user.username;
}

/** The other person of a direct channel; the own id for the channel with oneself. */
export function teammateId(channel: Channel, myId: string): string {
    const [first = '', second = ''] = channel.name.split('__');
    return first === myId ? second : first;
}

export function channelTitle(chat: Chat, channel: Channel): string {
    if (channel.type === 'D') {
        const name = displayName(chat.users[teammateId(channel, chat.me?.id ?? '')]);
        return teammateId(channel, chat.me?.id ?? '') === chat.me?.id ? say('people_you', {name}) : name;
    }
    return channel.display_name || channel.name;
}

/** What the interface calls the channel in test ids: its name, or the other person's for a direct one. */
export function channelKey(chat: Chat, channel: Channel): string {
    if (channel.type === 'D') {
        return chat.users[teammateId(channel, chat.me?.id ?? '')]?.username ?? channel.name;
    }
    return channel.name;
}

function known(chat: Chat, channelId: string): Post[] {
    return (chat.postIds[channelId] ?? []).map((id) => chat.posts[id]).filter((post) => post !== undefined);
}

/** Messages of a channel ever, as the server counts. */
export function messagesIn(channel: Channel): number {
    return (channel as Partial<ServerChannel>).total_msg_count ?? 0;
}

/** The same without answers in threads. */
function rootsIn(channel: Channel): number {
    return (channel as Partial<ServerChannel>).total_msg_count_root ?? 0;
}
