/**
 * To another media host without a silence: a second session is made beside the first, which ends once the second
 * hears and is heard. A browser that is told to follow to another host takes seconds, or never does
 * (`benches/run moves`).
 *
 * In: the client that was asked to go, what makes another. Out: that one in its place.
 * Not here: joining anew, where this fails (`call`).
 * Invariants: of the two one is the own client, and the other is `second` until it ends; who has muted, or was
 * muted, meanwhile is not heard again.
 */
import type {CallsClient} from '../peer/client';
import type {ServerEvent} from '../peer/socket';
import type {RemoteTrack} from '../peer/tracks';
import {store, updateActive} from '../state/app';
import type {Session} from '../state/calls';
import type {Make} from './call';
import {listenWhileMuted} from './devices';
import {takeCallsEvent} from './events';
import {applySettings, media, ownClient, remember, setOwnClient, setSecond} from './own';

/** Longest wait for the second session; then the first is given up. */
const WITHIN_MS = 10_000;
/** Voices that are on are there so soon, or are not waited for. */
const VOICES_WITHIN_MS = 1000;
const LOOK_EVERY_MS = 20;
/** How often the microphone follows the person, who may mute while it is opened. */
const MUTES = 3;
/** Both are played for so long: the second has to fill its buffers first. */
const OVERLAP_MS = 150;

/** Beside the connection that is, or anew where that fails. `maker` gives what makes clients, or the problem in the way. */
export async function move(from: CallsClient, maker: () => Promise<Make | string>): Promise<void> {
    const isOwn = (): boolean => ownClient() === from && store.get().active !== null;
    const made = await maker();
    if (!isOwn()) {
        return;
    }
    const outcome = typeof made === 'string' ? 'failed' : await beside(from, made);
    if (outcome === 'later') {
        from.stay();
    } else if (outcome === 'failed' && isOwn()) {
        from.giveUp();
    }
}

/** `later`: something is shown, which would end; whoever shows something is asked again. */
async function beside(from: CallsClient, made: Make): Promise<'moved' | 'later' | 'failed'> {
    const {active} = store.get();
    if (!active) {
        return 'failed';
    }
    let tracks: RemoteTrack[] = [];
    const events: ServerEvent[] = [];
    let hasEnded = false;
    const isOwn = (): boolean => ownClient() === next;
    const next: CallsClient = made({...active, unmuting: false}, '', (usual) => ({
        ...usual,
        onEvent: (event) => (isOwn() ? usual.onEvent(event) : events.push(event)),
        onTrack: (track) => {
            if (isOwn()) {
                usual.onTrack(track);
                return;
            }
            tracks.push(track);
            track.onEnded(() => {
                tracks = tracks.filter((one) => one !== track);
            });
        },
        onClosed: (reason) => {
            hasEnded = true;
            usual.onClosed(reason);
        },
    }));
    // Whoever leaves, or is removed, ends both.
    setSecond(next);
    next.start();
    const isOver = (): boolean => hasEnded || ownClient() !== from;
    await until(() => isOver() || next.connected, WITHIN_MS);
    await until(() => isOver() || tracks.filter(({kind}) => kind === 'voice').length >= voicesOn(from), VOICES_WITHIN_MS);
    for (let times = 0; times < MUTES && !isOver() && next.muted !== from.muted; times += 1) {
        await next.setMuted(from.muted);
    }
    const shows = from.shows || store.get().active?.sharingBusy || store.get().active?.cameraBusy;
    if (isOver() || shows || !next.connected || next.muted !== from.muted) {
        setSecond(null);
        next.leave();
        return shows && ownClient() === from ? 'later' : 'failed';
    }
    exchange(from, next, tracks, events);
    return 'moved';
}

function exchange(from: CallsClient, next: CallsClient, tracks: readonly RemoteTrack[], events: readonly ServerEvent[]): void {
    if (sessionsOf()[from.sessionId]?.raisedHand) {
        next.raiseHand(true);
    }
    const {muted} = from;
    const silence = media.exchange(tracks);
    setSecond(from);
    setOwnClient(next);
    updateActive((active) => ({...active, sessionId: next.sessionId, connection: 'connected', muted, unmuting: false, weak: false, quality: {}}));
    // What the first was told as well has been shown; here it only has to be true.
    events.forEach(({name, channelId, data}) => takeCallsEvent(name, channelId, data));
    applySettings();
    remember();
    void listenWhileMuted();
    setTimeout(() => {
        if (from.muted !== muted && ownClient() === next) {
            void next.setMuted(from.muted); // by the host, who saw the first
        }
        silence();
        setSecond(null);
        from.leave();
    }, OVERLAP_MS);
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
