/**
 * To another media host without a silence: a second session is made beside the first, which ends once the second
 * hears and is heard. A browser that is told to follow to another host takes seconds, or never does
 * (`benches/run moves`).
 *
 * In: the client that was asked to go, what makes another. Out: that one in its place.
 * Not here: joining anew, where this fails (`call`).
 * Invariant: of the two one is the own client, and the other ends.
 */
import type {CallListener, CallsClient} from '../peer/client';
import type {ServerEvent} from '../peer/socket';
import type {RemoteTrack} from '../peer/tracks';
import {store, updateActive} from '../state/app';
import type {Session} from '../state/calls';
import type {Make} from './call';
import {listenWhileMuted} from './devices';
import {media, ownClient, remember, setOwnClient} from './own';

/** Longest wait for the second session; then the first is given up. */
const WITHIN_MS = 10_000;
/** Voices that are on are there so soon, or are not waited for. */
const VOICES_WITHIN_MS = 1000;
const LOOK_EVERY_MS = 20;
/** Both are played for so long: the second has to fill its buffers first. */
const OVERLAP_MS = 150;
/** What the first session has shown already, of what both are told. */
const SHOWN: readonly string[] = ['user_reacted', 'caption'];

/** Beside the connection that is, or anew where that fails. `maker` gives what makes clients, or the problem in the way. */
export async function move(maker: () => Promise<Make | string>): Promise<void> {
    const made = await maker();
    const from = ownClient();
    const {active} = store.get();
    if (!from || !active) {
        return;
    }
    const isDone = typeof made !== 'string' && await beside(from, (heard) => made({...active, unmuting: false}, '', heard));
    if (!isDone && ownClient() === from) {
        from.giveUp();
    }
}

/** False: it did not come about, and the first is of no use any more. */
async function beside(from: CallsClient, make: (heard: (usual: CallListener) => CallListener) => CallsClient): Promise<boolean> {
    const tracks: RemoteTrack[] = [];
    const events: ServerEvent[] = [];
    let tell: (event: ServerEvent) => void = () => undefined;
    let settled: (connected: boolean) => void = () => undefined;
    const connected = new Promise<boolean>((resolve) => {
        settled = resolve;
        setTimeout(() => resolve(false), WITHIN_MS);
    });
    const isOwn = (): boolean => ownClient() === next;
    const next: CallsClient = make((usual) => {
        tell = usual.onEvent;
        return {
            ...usual,
            onState: (state) => {
                usual.onState(state);
                if (state === 'connected') {
                    settled(true);
                }
            },
            onEvent: (event) => (isOwn() ? usual.onEvent(event) : events.push(event)),
            onTrack: (track) => (isOwn() ? usual.onTrack(track) : tracks.push(track)),
            onClosed: (reason) => {
                usual.onClosed(reason);
                settled(false);
            },
        };
    });
    next.start();
    const isConnected = await connected;
    if (isConnected) {
        await until(() => tracks.length >= voicesOn(from), VOICES_WITHIN_MS);
        if (next.muted !== from.muted) {
            await next.setMuted(from.muted);
        }
    }
    // Meanwhile it was left, or something is shown, which would end: who shows something is asked again.
    const isLeft = ownClient() !== from;
    if (!isConnected || isLeft || from.shows) {
        next.leave();
        return isConnected || isLeft;
    }
    if (sessionsOf()[from.sessionId]?.raisedHand) {
        next.raiseHand(true);
    }
    const silence = media.exchange(tracks);
    setOwnClient(next);
    updateActive((active) => ({...active, sessionId: next.sessionId, muted: next.muted}));
    events.filter(({name}) => !SHOWN.includes(name)).forEach(tell);
    remember();
    void listenWhileMuted();
    setTimeout(() => {
        silence();
        from.leave();
    }, OVERLAP_MS);
    return true;
}

/** Voices that somebody else sends. */
function voicesOn(own: CallsClient): number {
    return Object.entries(sessionsOf()).filter(([id, {unmuted}]) => unmuted && id !== own.sessionId).length;
}

function sessionsOf(): Readonly<Record<string, Session>> {
    const {active, calls} = store.get();
    return calls[active?.channelId ?? '']?.sessions ?? {};
}

async function until(isSo: () => boolean, withinMs: number): Promise<void> {
    const limit = Date.now() + withinMs;
    while (!isSo() && Date.now() < limit) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
}
