/**
 * Into a call and out of it: the own call's client is made, and what its connection reports kept.
 *
 * In: buttons, links, a reload. Out: the own client, the store kept true.
 * Invariant: at most one call at a time; what a former client still reports is ignored.
 */
import {fetchCall, fetchTurnServers} from '../api/calls';
import {websocketAddress} from '../api/rest';
import type {CallListener, CallsClient} from '../peer/client';
import {problem, type Problem} from '../peer/problems';
import {supportsLock} from '../peer/version';
import {newActiveCall, type ActiveCall} from '../state/active';
import {titleOf} from '../state/advice';
import {announce, patch, store, updateActive} from '../state/app';
import {isPersonal} from '../state/ringing';
import {heardLately} from '../state/roster';
import {settings} from '../state/settings';
import {say} from '../words/words';
import {callEvent} from './callevents';
import {logCall} from './calllog';
import {cameraFellBack, checkSpeaker, fellBack, listenWhileMuted, microphoneWish, setTalkingMuted, watchDevices, watchMicrophone} from './devices';
import {refreshCalls, takeCallsEvent} from './events';
import {forgetCall, recallCall} from './location';
import {media, ownClient, remember, secondClient, setOwnClient} from './own';
import {showProblem} from './stage';

/** Joins by itself after the media was lost, in a row; a connection that held for a while starts a new row. */
const MAX_REJOINS = 3;
const HELD_MS = 20_000;

/** Counts connections begun: one that was given up while it was prepared is not made. */
let attempt = 0;
let peer: Promise<typeof import('../peer/client')> | null = null;
let rejoins = 0;
let connectedAt = 0;
/** Of the call that was left last: who comes back soon finds people in the order that the others see. */
let heard: {channelId: string; spoke: ActiveCall['spoke']} | null = null;

watchDevices(() => {
    void checkSpeaker();
    void listenWhileMuted();
});

/**
 * Joins the call of the channel, starting one when none runs; asks before it ends another one.
 * In direct and group messages with an open microphone, unless `unmuted` says otherwise.
 */
export async function joinCall(channelId: string, unmuted?: boolean, title = ''): Promise<void> {
    const {active} = store.get();
    if (active) {
        if (active.channelId !== channelId) {
            patch({question: {kind: 'second-call', channelId}});
        }
        return;
    }
    rejoins = 0;
    await connect({...newActiveCall(channelId), spoke: heard?.channelId === channelId ? heard.spoke : {}, unmuting: unmuted ?? isPersonal(store.get().chat.channels[channelId])}, title);
}

/** Leaves the call that runs for the one of another channel: the person was asked. */
export async function switchCall(channelId: string): Promise<void> {
    leaveCall();
    await joinCall(channelId);
}

/** Back into the call this tab was in before it was reloaded. Resolves to whether there was one. */
export async function rejoinAfterReload(): Promise<boolean> {
    const remembered = recallCall();
    if (!remembered || store.get().noCalls || !store.get().chat.channels[remembered.channelId]) {
        forgetCall();
        return false;
    }
    const call = await fetchCall(remembered.channelId).catch(() => null);
    // A call ends with its last participant: who was alone in it gets a new one to wait in.
    if (!call && !remembered.alone) {
        forgetCall();
        return false;
    }
    rejoins = 0;
    await connect({...newActiveCall(remembered.channelId), unmuting: !remembered.muted, noticeSeen: remembered.noticeSeen, hostNoticeSeen: remembered.hostNoticeSeen, spoke: remembered.spoke});
    return true;
}

export function leaveCall(): void {
    const client = ownClient();
    if (client) {
        client.leave();
    } else if (store.get().active) {
        closed(null);
    }
}

/** What makes connections comes after the first screen, and stays. */
export function fetchPeer(): Promise<typeof import('../peer/client')> {
    peer ??= import('../peer/client').catch((error: unknown) => {
        peer = null; // the next one tries again
        throw error;
    });
    return peer;
}

/** The page goes away; a reload finds its way back. */
export function unload(): void {
    const {active, calls} = store.get();
    const client = ownClient();
    if (client && active) {
        const sessions = Object.keys(calls[active.channelId]?.sessions ?? {});
        remember(sessions.length <= 1);
        client.unload();
        secondClient()?.unload();
    }
}

async function connect(active: ActiveCall, title = ''): Promise<void> {
    attempt += 1;
    const thisOne = attempt;
    patch({active, ending: null});
    const made = await maker();
    if (thisOne !== attempt) {
        return;
    }
    if (typeof made === 'string') {
        closed(problem(made));
        return;
    }
    const mine = made(active, title);
    setOwnClient(mine);
    mine.start();
}

export type Make = (active: ActiveCall, title: string, heard?: (usual: CallListener) => CallListener) => CallsClient;

/** What makes clients, or the problem that is in the way. */
async function maker(): Promise<Make | 'calls-unavailable' | 'unreachable'> {
    if (!store.get().callsConfig) {
        await refreshCalls(); // the server may have been away when the page asked
    }
    const config = store.get().callsConfig;
    if (!config) {
        return 'calls-unavailable';
    }
    const [turn, peers] = await Promise.all([config.needsTurnCredentials ? fetchTurnServers().catch(() => []) : [], fetchPeer().catch(() => null)]);
    if (!peers) {
        return 'unreachable';
    }
    return (active, title, heard = (usual) => usual) => {
        const mine: CallsClient = new peers.CallsClient({
            socketUrl: websocketAddress(store.get().websocketUrl),
            channelId: active.channelId,
            title,
            threadId: '',
            iceServers: [...config.iceServers, ...turn],
            useLock: supportsLock(config.versions),
            signalOverChannel: config.enableDcSignaling,
            simulcast: config.enableSimulcast,
            microphone: microphoneWish,
            camera: () => settings.get().camera.id,
        }, heard(listenerFor(() => ownClient() === mine, active)));
        return mine;
    };
}

function listenerFor(isCurrent: () => boolean, begun: ActiveCall): CallListener {
    let wantsVoice = begun.unmuting;
    const ifCurrent = (act: () => void): void => {
        if (isCurrent()) {
            act();
        }
    };
    return {
        onState: (connection) => ifCurrent(() => {
            logCall('state', {connection});
            if (connection === 'closed') {
                return;
            }
            updateActive((active) => ({...active, connection, sessionId: ownClient()?.sessionId ?? ''}));
            if (connection === 'connected') {
                connectedAt = Date.now();
                remember();
                if (wantsVoice) {
                    wantsVoice = false;
                    void ownClient()?.setMuted(false);
                } else {
                    void listenWhileMuted();
                }
            }
        }),
        onEvent: (event) => ifCurrent(() => callEvent(event)),
        onTrack: (track) => ifCurrent(() => media.add(track)),
        onOwnScreen: (ownScreen) => ifCurrent(() => updateActive((active) => ({...active, ownScreen}))),
        onOwnCamera: (ownCamera) => ifCurrent(() => updateActive((active) => ({...active, ownCamera}))),
        onCameraFellBack: (label) => ifCurrent(() => cameraFellBack(label)),
        onMuted: (muted) => ifCurrent(() => {
            updateActive((active) => ({...active, muted, unmuting: false}));
            setTalkingMuted(false);
            announce(say(muted ? 'call_told_own_muted' : 'call_told_own_unmuted'));
            remember();
        }),
        onMicrophone: watchMicrophone,
        onFellBack: (label) => ifCurrent(() => fellBack(label)),
        onQuality: (quality) => ifCurrent(() => updateActive((active) => ({...active, quality: Object.fromEntries(quality)}))),
        onProblem: (trouble) => ifCurrent(() => {
            logCall('problem', {code: trouble.code});
            showProblem(trouble);
        }),
        onWeak: (weak) => ifCurrent(() => updateActive((active) => (active.weak === weak ? active : {...active, weak}))),
        onMoves: (client) => void import('./move').then((way) => way.move(client, maker)).catch(() => client.giveUp()),
        onClosed: (reason) => ifCurrent(() => closed(reason)),
    };
}

function closed(reason: Problem | null): void {
    const {active} = store.get();
    logCall('closed', {reason: reason?.code ?? 'left'});
    attempt += 1;
    setOwnClient(null);
    media.clear();
    if (!active) {
        return;
    }
    if (connectedAt > 0 && Date.now() - connectedAt > HELD_MS) {
        rejoins = 0;
    }
    connectedAt = 0;
    const spoke = heardLately(active.spoke, store.get().calls[active.channelId], Date.now());
    heard = {channelId: active.channelId, spoke};
    // On the way back, too: the host that was chosen may have died just now.
    const isLost = reason?.code === 'media-lost' || (reason?.code === 'media-unreachable' && rejoins > 0);
    if (isLost && rejoins < MAX_REJOINS) {
        rejoins += 1;
        const again: ActiveCall = {
            ...newActiveCall(active.channelId), connection: 'rejoining', unmuting: active.unmuting || !active.muted,
            noticeSeen: active.noticeSeen, hostNoticeSeen: active.hostNoticeSeen, showCaptions: active.showCaptions, wide: active.wide, spoke,
            captionLog: active.captionLog, panel: active.panel, dialog: active.dialog, notes: active.notes,
        };
        void connect(again).then(() => updateActive((now) => ({...now, connection: 'rejoining'})));
        return;
    }
    forgetCall();
    forgetOwnSession(active);
    patch({active: null, ending: reason ? {channelId: active.channelId, problem: reason} : null});
    announce(reason ? titleOf(reason) : say('call_told_own_left'));
}

/** Without waiting for the server: a person who left is not in the list. */
function forgetOwnSession({channelId, sessionId}: ActiveCall): void {
    takeCallsEvent('user_left', channelId, {session_id: sessionId});
}
