/**
 * The verbs of the person for the own call, and what its connection reports.
 *
 * In: buttons and shortcuts. Out: the client of the call driven, the store kept true.
 * Invariant: at most one call at a time; what a former client still reports is ignored.
 */
import {fetchCall, fetchTurnServers, startRecording, stopRecording} from '../api/calls';
import {describe, websocketAddress} from '../api/rest';
import type {CallListener, CallsClient} from '../peer/client';
import type {ScreenHint} from '../peer/media';
import {CallError, problem, type Problem} from '../peer/problems';
import type {ServerEvent} from '../peer/socket';
import {supportsLock} from '../peer/version';
import {newActiveCall, withScreen, type ActiveCall, type CallDialog, type Panel} from '../state/active';
import {titleOf} from '../state/advice';
import {announce, patch, store, updateActive} from '../state/app';
import {isRunning, isStarting} from '../state/calls';
import {isPersonal} from '../state/ringing';
import {settings, volumeOf} from '../state/settings';
import {say} from '../words/words';
import {logCall} from './calllog';
import {checkSpeaker, fellBack, microphoneWish, setTalkingMuted, watchDevices, watchMicrophone} from './devices';
import {refreshCalls, takeCallsEvent} from './events';
import {forgetCall, recallCall, rememberCall} from './location';
import {soundMove} from './moves';
import {noteEvent} from './notes';
import {announceMove, showCaption, showReaction} from './passing';
import {RemoteMedia} from './sound';

declare global {
    interface Window {
        /** The client of the running call, for programs that drive this page. */
        callsClient?: CallsClient | undefined;
    }
}

/** Joins by itself after the media was lost, in a row; a connection that held for a while starts a new row. */
const MAX_REJOINS = 3;
const HELD_MS = 20_000;
/** Events that would leave no room in the log for others. */
const MANY: readonly string[] = ['user_voice_on', 'user_voice_off', 'caption', 'signal'];

let client: CallsClient | null = null;
/** Counts connections begun: one that was given up while it was prepared is not made. */
let attempt = 0;
let peer: Promise<typeof import('../peer/client')> | null = null;
let rejoins = 0;
let connectedAt = 0;

const media = new RemoteMedia({
    onScreen: (stream) => updateActive((active) => withScreen(active, stream)),
    onBlocked: (blocked) => updateActive((active) => ({...active, soundBlocked: blocked})),
});

watchDevices(() => void checkSpeaker());
settings.watch(applySettings);

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
    await connect({...newActiveCall(channelId), unmuting: unmuted ?? isPersonal(store.get().chat.channels[channelId])}, title);
}

/** Leaves the call that runs for the one of another channel: the person was asked. */
export async function switchCall(channelId: string): Promise<void> {
    leaveCall();
    await joinCall(channelId);
}

/** Back into the call this tab was in before it was reloaded. Resolves to whether there was one. */
export async function rejoinAfterReload(): Promise<boolean> {
    const remembered = recallCall();
    if (!remembered || !store.get().chat.channels[remembered.channelId]) {
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
    await connect({...newActiveCall(remembered.channelId), unmuting: !remembered.muted, noticeSeen: remembered.noticeSeen});
    return true;
}

export function leaveCall(): void {
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

/** What the connection measures now, as the browser reports it; empty without a call. */
export async function callStats(): Promise<Record<string, unknown>> {
    const {active} = store.get();
    return client && active ? {channel: active.channelId, session: active.sessionId, state: active.connection, ...await client.statistics()} : {};
}

export async function toggleMute(): Promise<void> {
    const {active} = store.get();
    if (!active || !client || active.unmuting || active.connection === 'joining') {
        return;
    }
    updateActive((now) => ({...now, unmuting: active.muted, problem: null}));
    await client.setMuted(!active.muted);
}

/** Push to talk: heard while the key is held. */
export function holdToTalk(held: boolean): void {
    const {active} = store.get();
    if (active && client && active.connection !== 'joining' && client.muted === held) {
        updateActive((now) => ({...now, unmuting: held, problem: null}));
        void client.setMuted(!held);
    }
}

export function toggleHand(): void {
    const {active, calls} = store.get();
    const session = active ? calls[active.channelId]?.sessions[active.sessionId] : undefined;
    if (active && session) {
        const raised = session.raisedHand === 0;
        client?.raiseHand(raised);
        // Shown at once; the server's event confirms it.
        takeCallsEvent(raised ? 'user_raise_hand' : 'user_unraise_hand', active.channelId, {
            session_id: active.sessionId, raised_hand: raised ? Date.now() : 0,
        });
        announce(say(raised ? 'call_told_own_hand' : 'call_told_own_hand_down'));
    }
}

export function react(name: string, unified: string, literal: string): void {
    client?.react({name, unified, literal});
}

export async function toggleScreen(): Promise<void> {
    const {active, calls} = store.get();
    if (!active || !client || active.sharingBusy) {
        return;
    }
    if (active.ownScreen) {
        await client.stopScreen();
        return;
    }
    if (calls[active.channelId]?.screenSessionId) {
        showProblem(problem('screen-taken'));
        return;
    }
    updateActive((now) => ({...now, sharingBusy: true, problem: null}));
    try {
        await client.shareScreen(store.get().share);
    } catch (error) {
        showProblem(error instanceof CallError ? error.problem : problem('negotiation'));
    } finally {
        updateActive((now) => ({...now, sharingBusy: false}));
    }
}

export function setShareSound(sound: boolean): void {
    patch({share: {...store.get().share, sound}});
}

/** For the next screen, and for the one that is shared now. */
export function setScreenHint(hint: ScreenHint): void {
    patch({share: {...store.get().share, hint}});
    client?.setScreenHint(hint);
}

export async function setRecording(on: boolean): Promise<void> {
    const {active} = store.get();
    if (!active) {
        return;
    }
    try {
        await (on ? startRecording(active.channelId) : stopRecording(active.channelId));
    } catch (error) {
        showProblem(problem('request-refused', describe(error)));
    }
}

export function acknowledgeRecording(startAt: number): void {
    updateActive((active) => ({...active, noticeSeen: startAt}));
    remember();
}

export function dismissOutcome(initAt: number): void {
    updateActive((active) => ({...active, outcomeSeen: initAt}));
}

export function toggleCaptions(): void {
    updateActive((active) => ({...active, showCaptions: !active.showCaptions}));
}

export function togglePanel(panel: Panel): void {
    updateActive((active) => ({...active, panel: active.panel === panel ? null : panel}));
}

export function showDialog(dialog: CallDialog | null): void {
    updateActive((active) => ({...active, dialog}));
}

export function toggleWide(): void {
    updateActive((active) => ({...active, wide: !active.wide, wideForScreen: false}));
}

/** The stage, where it is not on the screen for want of room. */
export function showStage(): void {
    updateActive((active) => ({...active, wide: true, wideForScreen: false}));
}

export function dismissProblem(): void {
    updateActive((active) => ({...active, problem: null}));
}

/** After a click: browsers then let sound play. */
export function allowSound(): void {
    media.resume();
}

/** The page goes away; a reload finds its way back. */
export function unload(): void {
    const {active, calls} = store.get();
    if (client && active) {
        const sessions = Object.keys(calls[active.channelId]?.sessions ?? {});
        remember(sessions.length <= 1);
        client.unload();
    }
}

async function connect(active: ActiveCall, title = ''): Promise<void> {
    attempt += 1;
    const thisOne = attempt;
    patch({active, ending: null});
    if (!store.get().callsConfig) {
        await refreshCalls(); // the server may have been away when the page asked
    }
    const config = store.get().callsConfig;
    if (thisOne !== attempt) {
        return;
    }
    if (!config) {
        closed(problem('calls-unavailable'));
        return;
    }
    const [turn, made] = await Promise.all([config.needsTurnCredentials ? fetchTurnServers().catch(() => []) : [], fetchPeer().catch(() => null)]);
    if (thisOne !== attempt) {
        return;
    }
    if (!made) {
        closed(problem('unreachable'));
        return;
    }
    const mine: CallsClient = new made.CallsClient({
        socketUrl: websocketAddress(store.get().websocketUrl),
        channelId: active.channelId,
        title,
        threadId: '',
        iceServers: [...config.iceServers, ...turn],
        useLock: supportsLock(config.versions),
        signalOverChannel: config.enableDcSignaling,
        simulcast: config.enableSimulcast,
        microphone: microphoneWish,
    }, listenerFor(() => client === mine, active));
    client = mine;
    window.callsClient = mine;
    mine.start();
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
            updateActive((active) => ({...active, connection, sessionId: client?.sessionId ?? ''}));
            if (connection === 'connected') {
                connectedAt = Date.now();
                remember();
                if (wantsVoice) {
                    wantsVoice = false;
                    void client?.setMuted(false);
                }
            }
        }),
        onEvent: (event) => ifCurrent(() => callEvent(event)),
        onTrack: (track) => ifCurrent(() => media.add(track)),
        onOwnScreen: (ownScreen) => ifCurrent(() => updateActive((active) => ({...active, ownScreen}))),
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
        onClosed: (reason) => ifCurrent(() => closed(reason)),
    };
}

function callEvent({name, data, channelId}: ServerEvent): void {
    const {active} = store.get();
    if (!active) {
        return;
    }
    if (!MANY.includes(name)) {
        logCall(`event ${name}`, {channel: channelId, session: String(data['session_id'] ?? '')});
    }
    const hostBefore = store.get().calls[channelId]?.hostId ?? '';
    takeCallsEvent(name, channelId, data);
    noteEvent(name, data, hostBefore);
    watchRecording(channelId);
    switch (name) {
    case 'caption':
        showCaption(data);
        break;
    case 'user_reacted':
        showReaction(data);
        break;
    case 'user_voice_on':
    case 'user_voice_off':
        updateActive((now) => ({...now, spoke: {...now.spoke, [String(data['session_id'] ?? '')]: Date.now()}}));
        break;
    case 'user_screen_off':
        media.dropScreen();
        break;
    case 'user_left':
        media.dropSender(String(data['session_id'] ?? ''));
        announceMove(data, 'call_told_left');
        soundMove('leave', data['session_id']);
        if (data['session_id'] === active.sessionId) {
            lostSession();
        }
        break;
    case 'user_joined':
        applySettings();
        announceMove(data, 'call_told_joined');
        soundMove('join', data['session_id']);
        break;
    case 'call_state':
        applySettings();
        checkStillIn();
        break;
    default:
        break;
    }
}

/** Its outcome concerns only those who were there. */
function watchRecording(channelId: string): void {
    const recording = store.get().calls[channelId]?.recording ?? null;
    if (recording && (isRunning(recording) || isStarting(recording))) {
        updateActive((active) => (active.sawRecording === recording.initAt ? active : {...active, sawRecording: recording.initAt}));
    }
}

function checkStillIn(): void {
    const {active, calls} = store.get();
    const call = active ? calls[active.channelId] : undefined;
    if (active && call && active.connection === 'connected' && !call.sessions[active.sessionId]) {
        lostSession();
    }
}

/** The server gave this session up (it or the media host was restarted, or away too long): join anew, at once. */
function lostSession(): void {
    client?.abandon(problem('media-lost'));
}

function closed(reason: Problem | null): void {
    const {active} = store.get();
    logCall('closed', {reason: reason?.code ?? 'left'});
    attempt += 1;
    client = null;
    window.callsClient = undefined;
    media.clear();
    if (!active) {
        return;
    }
    if (connectedAt > 0 && Date.now() - connectedAt > HELD_MS) {
        rejoins = 0;
    }
    connectedAt = 0;
    if (reason?.code === 'media-lost' && rejoins < MAX_REJOINS) {
        rejoins += 1;
        const again: ActiveCall = {
            ...newActiveCall(active.channelId), connection: 'rejoining', unmuting: !active.muted,
            noticeSeen: active.noticeSeen, showCaptions: active.showCaptions, wide: active.wide,
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

/** Loudness and speaker as chosen, also for those who just came. */
function applySettings(): void {
    const {active, calls} = store.get();
    const sessions = calls[active?.channelId ?? '']?.sessions ?? {};
    media.setVolumes((sessionId) => volumeOf(settings.get(), sessions[sessionId]?.userId ?? ''));
    void media.setSpeaker(settings.get().speaker.id);
}

export function showProblem(trouble: Problem): void {
    updateActive((active) => ({...active, problem: trouble}));
}

function remember(alone = false): void {
    const {active} = store.get();
    if (active) {
        rememberCall({channelId: active.channelId, muted: active.muted && !active.unmuting, noticeSeen: active.noticeSeen, alone});
    }
}

/** Another microphone was chosen, or another treatment of its sound. */
export function microphoneChanged(): void {
    void client?.changeMicrophone();
}
