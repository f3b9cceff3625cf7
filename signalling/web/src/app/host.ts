/**
 * What a host does to others and to the call. The server judges whether they may; its refusals are
 * shown in words.
 */
import {askAsHost, type HostRequest} from '../api/calls';
import {describe} from '../api/rest';
import {problem} from '../peer/problems';
import {announce, store} from '../state/app';
import type {Session} from '../state/calls';
import {displayName} from '../state/chat';
import type {Participant} from '../state/roster';
import {say} from '../words/words';
import {showProblem} from './stage';

/** A person may be in the call with several devices: what is meant for them is meant for all. */
export async function muteAsHost(person: Participant): Promise<void> {
    const sessions = sessionsNow();
    const unmuted = person.sessionIds.filter((id) => sessions[id]?.unmuted);
    await askAll(unmuted.map((id) => ({control: 'mute', who: {session_id: id}})), say('call_told_muted', {name: nameOf(person)}));
}

export async function lowerHandAsHost(person: Participant): Promise<void> {
    const sessions = sessionsNow();
    const raised = person.sessionIds.filter((id) => (sessions[id]?.raisedHand ?? 0) > 0);
    await askAll(raised.map((id) => ({control: 'lower-hand', who: {session_id: id}})), say('call_told_hand', {name: nameOf(person)}));
}

export async function stopScreenAsHost(person: Participant): Promise<void> {
    await askAll([{control: 'screen-off', who: {session_id: person.sharingSessionId}}], say('call_told_screen', {name: nameOf(person)}));
}

export async function removeAsHost(person: Participant): Promise<void> {
    await askAll(person.sessionIds.map((id) => ({control: 'remove', who: {session_id: id}})), say('call_told_removed', {name: nameOf(person)}));
}

export async function makeHost(person: Participant): Promise<void> {
    await askAll([{control: 'make', who: {new_host_id: person.userId}}], '');
}

export async function muteOthers(): Promise<void> {
    await askAll([{control: 'mute-others', who: {}}], say('call_told_all_muted'));
}

export async function endForEveryone(): Promise<void> {
    await askAll([{control: 'end', who: {}}], '');
}

/** One request after the other: a refusal of the first need not be followed by more. */
async function askAll(requests: readonly HostRequest[], told: string): Promise<void> {
    const {active} = store.get();
    if (!active) {
        return;
    }
    try {
        for (const request of requests) {
            await askAsHost(active.channelId, request);
        }
        if (told !== '') {
            announce(told);
        }
    } catch (error) {
        showProblem(problem('request-refused', describe(error)));
    }
}

function sessionsNow(): Readonly<Record<string, Session>> {
    const {active, calls} = store.get();
    return calls[active?.channelId ?? '']?.sessions ?? {};
}

function nameOf({userId}: Participant): string {
    return displayName(store.get().chat.users[userId]);
}
