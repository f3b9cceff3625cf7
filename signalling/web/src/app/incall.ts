/** What a person does in the call they are in: microphone, hand, reactions, screen, recording. */
import {pauseRecording, resumeRecording, startRecording, stopRecording} from '../api/calls';
import {describe} from '../api/rest';
import type {ScreenHint} from '../peer/media';
import {CallError, problem} from '../peer/problems';
import {announce, patch, store, updateActive} from '../state/app';
import {speechDoubt} from '../state/speech';
import {say} from '../words/words';
import {listenWhileMuted} from './devices';
import {refreshConfig, takeCallsEvent} from './events';
import {ownClient} from './own';
import {showProblem} from './stage';

export async function toggleMute(): Promise<void> {
    const {active} = store.get();
    const client = ownClient();
    if (!active || !client || active.unmuting || active.connection === 'joining') {
        return;
    }
    updateActive((now) => ({...now, unmuting: active.muted, problem: null}));
    await client.setMuted(!active.muted);
}

/** Push to talk: heard while the key is held. */
export function holdToTalk(held: boolean): void {
    const {active} = store.get();
    const client = ownClient();
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
        ownClient()?.raiseHand(raised);
        // Shown at once; the server's event confirms it.
        takeCallsEvent(raised ? 'user_raise_hand' : 'user_unraise_hand', active.channelId, {
            session_id: active.sessionId, raised_hand: raised ? Date.now() : 0,
        });
        announce(say(raised ? 'call_told_own_hand' : 'call_told_own_hand_down'));
    }
}

export function react(name: string, unified: string, literal: string): void {
    ownClient()?.react({name, unified, literal});
}

export async function toggleScreen(): Promise<void> {
    const {active, calls} = store.get();
    const client = ownClient();
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

export async function toggleCamera(): Promise<void> {
    const {active} = store.get();
    const client = ownClient();
    if (!active || !client || active.cameraBusy) {
        return;
    }
    updateActive((now) => ({...now, cameraBusy: true, problem: null}));
    await client.setCamera(active.ownCamera === null);
    updateActive((now) => ({...now, cameraBusy: false}));
    announce(say(store.get().active?.ownCamera ? 'call_told_own_camera' : 'call_told_own_camera_off'));
}

/** Another camera was chosen. */
export function cameraChanged(): void {
    void ownClient()?.changeCamera();
}

export function setShareSound(sound: boolean): void {
    patch({share: {...store.get().share, sound}});
}

/** For the next screen, and for the one that is shared now. */
export function setScreenHint(hint: ScreenHint): void {
    patch({share: {...store.get().share, hint}});
    ownClient()?.setScreenHint(hint);
}

/** Records the own call; whoever would expect too much of it is asked first. */
export async function beginRecording(): Promise<void> {
    const {active} = store.get();
    if (active && !await askFirst(active.channelId)) {
        await changeRecording(active.channelId, startRecording);
    }
}

/** Resolves to whether the person is asked before the call is recorded: there is something to be said. */
export async function askFirst(channelId: string): Promise<boolean> {
    await refreshConfig(); // a model may have come or gone since the page was opened
    const {callsConfig} = store.get();
    const asks = callsConfig !== null && speechDoubt(callsConfig) !== '';
    if (asks) {
        patch({question: {kind: 'record', channelId}});
    }
    return asks;
}

/** The person was asked. */
export function record(channelId: string): Promise<void> {
    return changeRecording(channelId, startRecording);
}

export async function endRecording(): Promise<void> {
    await changeRecording(store.get().active?.channelId ?? '', stopRecording);
}

export async function setRecordingPaused(paused: boolean): Promise<void> {
    await changeRecording(store.get().active?.channelId ?? '', paused ? pauseRecording : resumeRecording);
}

async function changeRecording(channelId: string, change: (channelId: string) => Promise<unknown>): Promise<void> {
    try {
        await change(channelId);
    } catch (error) {
        if (store.get().active) {
            showProblem(problem('request-refused', describe(error)));
        } else {
            patch({fault: say('chat_not_done', {why: describe(error)})});
        }
    }
}

/** Another microphone was chosen, another treatment of its sound, or when it is listened to. */
export function microphoneChanged(): void {
    void ownClient()?.changeMicrophone().then(listenWhileMuted);
}

/** What the connection measures now, as the browser reports it; empty without a call. */
export async function callStats(): Promise<Record<string, unknown>> {
    const {active} = store.get();
    const client = ownClient();
    return client && active ? {channel: active.channelId, session: active.sessionId, state: active.connection, ...await client.statistics()} : {};
}
