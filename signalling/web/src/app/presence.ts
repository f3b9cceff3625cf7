/**
 * Who is there and who is writing: what this page tells of its person, and asks about others.
 *
 * The server announces a status to its owner only, so those of others are asked for while the page
 * is looked at.
 */
import {api} from '../api/rest';
import type {Live} from '../api/live';
import {store, updatePresence} from '../state/app';
import {teammateId} from '../state/chat';
import {needPeople} from './people';
import {TYPING_MS, typingPlace, withoutOldTypists, withStatuses, withTypist, type Status} from '../state/presence';

const ASK_MS = 30_000;
/** Most people asked about at once. */
const MOST = 200;
/** How often a place hears that one is still writing. */
const TELL_MS = 4000;

let live: Live | null = null;
let timer: ReturnType<typeof setInterval> | undefined;
let told = {place: '', at: 0};
/** Further people whose status is on the screen. */
let shown: readonly string[] = [];

export function beginPresence(connection: Live): void {
    live = connection;
    endTimer();
    timer = setInterval(askStatuses, ASK_MS);
    document.addEventListener('visibilitychange', lookedAt);
}

/** The connection stands (again): the others see that this person is here. */
export function cameOnline(): void {
    live?.tellActive(!document.hidden);
    setTimeout(askStatuses, 500);
}

export function endPresence(): void {
    live = null;
    endTimer();
    document.removeEventListener('visibilitychange', lookedAt);
}

/** The person writes in a channel, or in a thread there. */
export function tellTyping(channelId: string, rootId: string): void {
    const place = typingPlace(channelId, rootId);
    if (told.place !== place || Date.now() - told.at > TELL_MS) {
        told = {place, at: Date.now()};
        live?.tellTyping(channelId, rootId);
    }
}

export function heardTyping(channelId: string, rootId: string, userId: string): void {
    if (userId === '' || userId === store.get().chat.me?.id) {
        return;
    }
    needPeople([userId]);
    updatePresence((presence) => withTypist(presence, typingPlace(channelId, rootId), userId, Date.now()));
    setTimeout(() => updatePresence((presence) => withoutOldTypists(presence, Date.now())), TYPING_MS + 50);
}

/** The people of a list that is on the screen; asks about them at once. */
export function watchStatuses(userIds: readonly string[]): void {
    shown = userIds;
    askStatuses();
}

export async function chooseStatus(status: Status): Promise<void> {
    const me = store.get().chat.me;
    if (me) {
        const now = await api.updateStatus({user_id: me.id, status});
        updatePresence((presence) => withStatuses(presence, [{userId: me.id, status: now.status}]));
    }
}

function askStatuses(): void {
    const {chat} = store.get();
    if (document.hidden || !chat.me) {
        return;
    }
    const {me} = chat;
    const directs = Object.values(chat.channels).filter(({type}) => type === 'D').map((channel) => teammateId(channel, me.id));
    const ids = [...new Set([me.id, ...directs, ...shown])].filter((id) => id !== '').slice(0, MOST);
    api.getStatusesByIds(ids)
        .then((found) => updatePresence((presence) => withStatuses(presence, found.map(({user_id, status}) => ({userId: user_id, status})))))
        .catch(() => undefined); // they are asked for again soon
}

function lookedAt(): void {
    live?.tellActive(!document.hidden);
    if (!document.hidden) {
        askStatuses();
    }
}

function endTimer(): void {
    clearInterval(timer);
    timer = undefined;
}
