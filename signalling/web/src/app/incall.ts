/** What a person does in the call they are in: microphone, hand, reactions, screen, recording. */
import {startRecording, stopRecording} from '../api/calls';
import {describe} from '../api/rest';
import type {ScreenHint} from '../peer/media';
import {CallError, problem} from '../peer/problems';
import {announce, patch, store, updateActive} from '../state/app';
import {say} from '../words/words';
import {takeCallsEvent} from './events';
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

export function setShareSound(sound: boolean): void {
    patch({share: {...store.get().share, sound}});
}

/** For the next screen, and for the one that is shared now. */
export function setScreenHint(hint: ScreenHint): void {
    patch({share: {...store.get().share, hint}});
    ownClient()?.setScreenHint(hint);
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

/** Another microphone was chosen, or another treatment of its sound. */
export function microphoneChanged(): void {
    void ownClient()?.changeMicrophone();
}
/** What the connection measures now, as the browser reports it; empty without a call. */
export async function callStats(): Promise<Record<string, unknown>> {
    const {active} = store.get();
    const client = ownClient();
    return client && active ? {channel: active.channelId, session: active.sessionId, state: active.connection, ...await client.statistics()} : {};
}
