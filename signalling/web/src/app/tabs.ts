/**
 * The same person in the same call elsewhere: tabs of this browser talk and one takes over, sessions of
 * other devices are ended by the server.
 *
 * Out: whether another tab is in the call, the move of the call into this page, the end of other sessions.
 */
import {leaveSession} from '../api/calls';
import {describe} from '../api/rest';
import {isRecord} from '../peer/record';
import {problem} from '../peer/problems';
import {patch, store} from '../state/app';
import {say} from '../words/words';
import {joinCall, leaveCall} from './call';

/** Tabs of one browser answer at once, unless they sleep. */
const ANSWER_MS = 500;
const CONNECT_MS = 15_000;

type Word =
    | {kind: 'who'; userId: string; channelId: string}
    | {kind: 'here'; userId: string; channelId: string; muted: boolean}
    | {kind: 'moved'; userId: string; channelId: string};

const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('parley.call');

/** From now on this tab answers the others; the page calls it once. */
export function answerTabs(): void {
    tabs?.addEventListener('message', (event: MessageEvent<unknown>) => {
        const word = read(event.data);
        const {active, chat} = store.get();
        if (!word || !active || word.userId !== chat.me?.id || word.channelId !== active.channelId) {
            return;
        }
        if (word.kind === 'who') {
            tabs.postMessage({...word, kind: 'here', muted: active.muted && !active.unmuting} satisfies Word);
        } else if (word.kind === 'moved') {
            leaveCall();
            patch({ending: {channelId: word.channelId, problem: problem('moved')}});
        }
    });
}

/** Null when no other tab is in the call. */
export function askTabs(channelId: string): Promise<{muted: boolean} | null> {
    const userId = store.get().chat.me?.id ?? '';
    return new Promise((resolve) => {
        if (!tabs) {
            resolve(null);
            return;
        }
        const heard = (event: MessageEvent<unknown>): void => {
            const word = read(event.data);
            if (word?.kind === 'here' && word.userId === userId && word.channelId === channelId) {
                over({muted: word.muted});
            }
        };
        const over = (answer: {muted: boolean} | null): void => {
            clearTimeout(timer);
            tabs.removeEventListener('message', heard);
            resolve(answer);
        };
        const timer = setTimeout(() => over(null), ANSWER_MS);
        tabs.addEventListener('message', heard);
        tabs.postMessage({kind: 'who', userId, channelId} satisfies Word);
    });
}

/**
 * Into the call here first, as loud as the person is there, then out of it there: so it does not end in between.
 * `others`: the own sessions of other tabs and devices. Where this page does not come in, they stay.
 */
export async function switchHere(channelId: string, others: readonly string[]): Promise<void> {
    const tab = await askTabs(channelId);
    const sessions = store.get().calls[channelId]?.sessions ?? {};
    if (store.get().active?.channelId !== channelId) {
        await joinCall(channelId, tab ? !tab.muted : others.some((id) => sessions[id]?.unmuted));
        await store.until(({active}) => active?.channelId !== channelId || active.connection === 'connected', CONNECT_MS);
    }
    const {active, chat} = store.get();
    if (active?.channelId !== channelId || active.connection !== 'connected') {
        return;
    }
    if (tab) {
        tabs?.postMessage({kind: 'moved', userId: chat.me?.id ?? '', channelId} satisfies Word);
    } else {
        await leaveElsewhere(channelId, others);
    }
}

/** Out of the call with the own other sessions `sessionIds`. One that is gone already is as wished. */
export async function leaveElsewhere(channelId: string, sessionIds: readonly string[]): Promise<void> {
    try {
        for (const id of sessionIds) {
            if (store.get().calls[channelId]?.sessions[id]) {
                await leaveSession(channelId, id);
            }
        }
    } catch (error) {
        patch({fault: say('chat_not_done', {why: describe(error)})});
    }
}

function read(value: unknown): Word | null {
    if (!isRecord(value) || typeof value['userId'] !== 'string' || typeof value['channelId'] !== 'string') {
        return null;
    }
    const {userId, channelId} = value as {userId: string; channelId: string};
    switch (value['kind']) {
    case 'who':
    case 'moved':
        return {kind: value['kind'], userId, channelId};
    case 'here':
        return {kind: 'here', userId, channelId, muted: value['muted'] !== false};
    default:
        return null;
    }
}
