/**
 * Followed threads: the list of them, following and no longer, what is read of each.
 *
 * In: what a person does, and events. Out: the store kept true, the server told.
 * Not here: showing a thread and its messages (`channels`).
 */
import type {Post} from '@mattermost/types/posts';
import type {UserThreadWithPost} from '@mattermost/types/threads';
import {api, describe, isMissing} from '../api/rest';
import {isRecord} from '../peer/record';
import {patch, store, updateChat, updateThreads} from '../state/app';
import {openedThreads} from '../state/chat';
import {
    isFollowed, listedThreads, readThread, withAllRead, withoutThread, withoutThreadsOf, withThread, withThreadPage, withThreadRead, type Thread,
} from '../state/threads';
import {say} from '../words/words';
import {loadChannels} from './channels';
import {showThreadsPlace} from './location';
import {needPeople} from './people';

const PAGE = 60;
/** What Mattermost calls it when people want answers in their threads only. */
const DISPLAY = 'display_settings';
const COLLAPSED = 'collapsed_reply_threads';

/** The thread that was marked as unread while it was open: seeing it does not make it read. */
let kept = '';

/** What is followed, from the start, and how this person wants answers counted. */
export async function loadThreads(): Promise<void> {
    const {teamId} = store.get().chat;
    if (teamId === '') {
        return;
    }
    try {
        const [list, preferences] = await Promise.all([api.getThreads(teamId, PAGE), api.getPreferences(DISPLAY)]);
        takePreferences(preferences);
        const threads = Array.isArray(list.threads) ? list.threads : [];
        lookUp(threads.map(readThread));
        updateThreads((known) => withThreadPage(known, {...list, threads}, PAGE, true));
    } catch (error) {
        console.warn('parley: followed threads could not be listed', error);
    }
}

export async function loadOlderThreads(): Promise<void> {
    const {chat, threads} = store.get();
    const last = listedThreads(threads, false).at(-1)?.[0];
    if (!last || threads.complete) {
        return;
    }
    try {
        const list = await api.getThreads(chat.teamId, PAGE, last);
        lookUp(list.threads.map(readThread));
        updateThreads((known) => withThreadPage(known, list, PAGE, false));
    } catch (error) {
        patch({fault: say('chat_not_loaded', {why: describe(error)})});
    }
}

/** Shows the list in the place of a channel. */
export function openThreads(): void {
    updateChat(openedThreads);
    patch({view: 'channel', fault: ''});
    showThreadsPlace();
    if (!store.get().threads.loaded) {
        void loadThreads();
    }
}

export async function follow(rootId: string, following: boolean): Promise<void> {
    const {teamId} = store.get().chat;
    await tried(async () => {
        if (following) {
            await api.followThread(teamId, rootId);
            await fetchThread(rootId);
        } else {
            await api.unfollowThread(teamId, rootId);
            updateThreads((threads) => withoutThread(threads, rootId));
        }
    });
}

/** From a message on; without one, the newest answer. */
export async function markThreadUnread(rootId: string, from = ''): Promise<void> {
    const {chat: {teamId, threadId}, threads} = store.get();
    kept = rootId === threadId ? rootId : kept;
    const newest = threads.byId[rootId]?.lastReplyAt ?? 0;
    await tried(async () => took(rootId, await (from === '' ? api.readThread(teamId, rootId, newest - 1) : api.markThreadUnread(teamId, rootId, from))));
}

export async function readEveryThread(): Promise<void> {
    await tried(async () => {
        await api.readAllThreads(store.get().chat.teamId);
        updateThreads((threads) => withAllRead(threads, Date.now()));
    });
}

/** A thread is shown from now on: what was kept as unread before is read. */
export function beginThread(): void {
    kept = '';
}

/** Tells the server that the person sees the open thread, if there is anything new in it. */
export function readOpenThread(): void {
    const {chat: {threadId, teamId}, threads, view} = store.get();
    const thread = threads.byId[threadId];
    if (thread && thread.unread > 0 && threadId !== kept && view === 'channel' && !document.hidden) {
        api.readThread(teamId, threadId, thread.lastReplyAt).then((answer) => took(threadId, answer)).catch(() => undefined); // told again with the next answer
    }
}

/** A list that came with a thread says of its first message whether it is followed. */
export function noteFollowing(root: Post | undefined): void {
    if (!root || typeof root.is_following !== 'boolean') {
        return;
    }
    if (!root.is_following) {
        updateThreads((threads) => (threads.notFollowed[root.id] ? threads : withoutThread(threads, root.id)));
    } else if (!store.get().threads.byId[root.id]) {
        fetchThread(root.id).catch(() => undefined);
    }
}

/** What is being asked: one thread may be in sight twice. */
const asking = new Set<string>();

/** Asks whether a thread is followed, unless it is known. */
export function learnFollowing({id, reply_count: replies}: Post): void {
    if (isFollowed(store.get().threads, id, replies) === null && !asking.has(id)) {
        asking.add(id);
        void fetchThread(id).catch(() => undefined).finally(() => asking.delete(id));
    }
}

/** A message of it went: what is unread of it may be less, or all of it is gone. */
export function reloadThread(rootId: string): void {
    if (store.get().threads.byId[rootId]) {
        fetchThread(rootId).catch(() => undefined);
    }
}

export function forgetThreads(channelId: string): void {
    updateThreads((threads) => withoutThreadsOf(threads, channelId));
}

/** Answers in threads only, or in their channel as well. */
export async function setApart(apart: boolean): Promise<void> {
    const {me} = store.get().chat;
    const preference = (on: boolean) => ({user_id: me?.id ?? '', category: DISPLAY, name: COLLAPSED, value: on ? 'on' : 'off'});
    takePreferences([preference(apart)]);
    await tried(async () => {
        await api.savePreferences([preference(apart)]).catch((error: unknown) => {
            takePreferences([preference(!apart)]);
            throw error;
        });
    });
}

/** As the server lists or announces them: a list, or the text of one. */
export function takePreferences(value: unknown): void {
    const list = typeof value === 'string' ? parsed(value) : value;
    const ours = (Array.isArray(list) ? list as unknown[] : []).filter(isRecord).find(({category, name}) => category === DISPLAY && name === COLLAPSED);
    if (!ours || (ours['value'] === 'on') === store.get().chat.apart) {
        return;
    }
    updateChat((chat) => ({...chat, apart: ours['value'] === 'on'}));
    void loadChannels(store.get().chat.teamId).catch(() => undefined); // what is unread is counted otherwise now
}

export function threadEvent(name: 'thread_updated' | 'thread_follow_changed' | 'thread_read_changed', data: Record<string, unknown>, channelId: string): void {
    const id = text(data['thread_id']);
    switch (name) {
    case 'thread_updated': {
        const thread = threadIn(data['thread']);
        if (thread) {
            lookUp([thread]);
            const before = {unread: count(data['previous_unread_replies']), mentions: count(data['previous_unread_mentions'])};
            updateThreads((threads) => withThread(threads, thread.root.id, thread, before));
        }
        break;
    }
    case 'thread_follow_changed':
        if (data['state'] !== true) {
            updateThreads((threads) => withoutThread(threads, id));
        } else if (!store.get().threads.byId[id]) {
            fetchThread(id).catch(() => undefined);
        }
        break;
    case 'thread_read_changed': {
        const [now, before] = [{unread: count(data['unread_replies']), mentions: count(data['unread_mentions'])}, {unread: count(data['previous_unread_replies']), mentions: count(data['previous_unread_mentions'])}];
        const at = count(data['timestamp']);
        updateThreads((threads) => (id === '' ? withAllRead(threads, at, channelId) : withThreadRead(threads, id, at, now, before)));
        if (id === '' && !store.get().threads.complete) {
            void loadThreads(); // there may be more of it than is known here
        }
        break;
    }
    }
}

/** Takes what the server has of one thread; it is not followed where it has nothing. */
async function fetchThread(rootId: string): Promise<void> {
    try {
        took(rootId, await api.getThread(store.get().chat.teamId, rootId));
    } catch (error) {
        if (!isMissing(error)) {
            throw error;
        }
        updateThreads((threads) => withoutThread(threads, rootId));
    }
}

function took(rootId: string, answer: UserThreadWithPost): void {
    const thread = readThread(answer);
    lookUp([thread]);
    updateThreads((threads) => withThread(threads, rootId, thread));
}

function lookUp(threads: readonly Thread[]): void {
    needPeople(threads.flatMap(({root, people}) => [root.user_id, ...people]));
}

async function tried(act: () => Promise<void>): Promise<void> {
    try {
        await act();
    } catch (error) {
        patch({fault: say('chat_not_done', {why: describe(error)})});
    }
}

function threadIn(value: unknown): Thread | null {
    const thread = parsed(text(value));
    const post = isRecord(thread) ? thread['post'] : null;
    return isRecord(thread) && isRecord(post) && typeof post['id'] === 'string' ? readThread(thread as unknown as UserThreadWithPost) : null;
}

function parsed(value: string): unknown {
    try {
        return JSON.parse(value) as unknown;
    } catch {
        return null;
    }
}

function text(value: unknown): string {
    return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
    return typeof value === 'number' ? value : 0;
}
