/**
 * The client of the own call and the sounds it brings: what the verbs, the events and the connection share.
 *
 * Invariant: there is at most one client, and the store has an own call whenever there is one.
 */
import type {CallsClient} from '../peer/client';
import {withCamera, withScreen} from '../state/active';
import {store, updateActive} from '../state/app';
import {heardLately} from '../state/roster';
import {settings, volumeOf} from '../state/settings';
import {rememberCall} from './location';
import {RemoteMedia} from './sound';

declare global {
    interface Window {
        /** The client of the running call, for programs that drive this page. */
        callsClient?: CallsClient | undefined;
    }
}

let client: CallsClient | null = null;
/** While the page goes to another media host: the client that is not the own one yet, or any more. */
let second: CallsClient | null = null;

export const media = new RemoteMedia({
    onScreen: (stream) => updateActive((active) => withScreen(active, stream)),
    onCamera: (sessionId, stream) => updateActive((active) => withCamera(active, sessionId, stream)),
    onBlocked: (blocked) => updateActive((active) => ({...active, soundBlocked: blocked})),
});

settings.watch(applySettings);

/** Null without a call, and while its connection is still prepared. */
export function ownClient(): CallsClient | null {
    return client;
}

export function setOwnClient(next: CallsClient | null): void {
    client = next;
    if (!next) {
        second?.leave();
        second = null;
    }
    window.callsClient = next ?? undefined;
}

export function secondClient(): CallsClient | null {
    return second;
}

export function setSecond(next: CallsClient | null): void {
    second = next;
}

/** Loudness and speaker as chosen, also for those who just came. */
export function applySettings(): void {
    const {active, calls} = store.get();
    const sessions = calls[active?.channelId ?? '']?.sessions ?? {};
    media.setVolumes((sessionId) => volumeOf(settings.get(), sessions[sessionId]?.userId ?? ''));
    void media.setSpeaker(settings.get().speaker.id);
}

/** For a reload. `alone`: nobody else is in the call. */
export function remember(alone = false): void {
    const {active, calls} = store.get();
    if (active) {
        const spoke = heardLately(active.spoke, calls[active.channelId], Date.now());
        rememberCall({channelId: active.channelId, muted: active.muted && !active.unmuting, noticeSeen: active.noticeSeen, hostNoticeSeen: active.hostNoticeSeen, alone, spoke});
    }
}
