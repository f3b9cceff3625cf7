/**
 * Which calls ask for this person, and what the own call waits for. Pure.
 *
 * In: calls, channels, who I am. Out: calls that ring here; whether the own call rings elsewhere.
 * Not here: sound, notifications, and the server's word on do-not-disturb (`app/ringing`).
 */
import type {Channel} from '@mattermost/types/channels';
import type {ActiveCall} from './active';
import type {Call, Calls} from './calls';
import {teammateId} from './chat';

/** How long a call rings, and how long its caller hears that it does. */
export const RING_MS = 30_000;

export interface Incoming {
    callId: string;
    channelId: string;
    callerId: string;
    startAt: number;
}

/** The one that this page rings for; `sounding` ends after 30 s, the card stays while the call runs. */
export interface Ring extends Incoming {
    sounding: boolean;
}

export interface Surroundings {
    myId: string;
    channels: Readonly<Record<string, Channel>>;
    calls: Calls;
    active: ActiveCall | null;
}

/** Calls of direct and group messages that somebody else started and this person neither joined nor declined; newest first. */
export function incomingCalls({myId, channels, calls, active}: Surroundings): Incoming[] {
    return Object.values(calls)
        .filter((call) => isPersonal(channels[call.channelId]) && call.channelId !== active?.channelId)
        .filter((call) => call.ownerId !== '' && call.ownerId !== myId && !call.dismissed && !isIn(call, myId))
        .filter((call) => Object.keys(call.sessions).length > 0)
        .map(({id, channelId, ownerId, startAt}) => ({callId: id, channelId, callerId: ownerId, startAt}))
        .sort((a, b) => b.startAt - a.startAt);
}

/** True while the own call is one I started, in a direct or group message, and nobody came yet. */
export function waitsForAnswer({myId, channels, calls, active}: Surroundings): boolean {
    const channel = active ? channels[active.channelId] : undefined;
    const call = active ? calls[active.channelId] : undefined;
    if (!active || !channel || !call || active.connection !== 'connected' || !isPersonal(channel)) {
        return false;
    }
    const withMyself = channel.type === 'D' && teammateId(channel, myId) === myId;
    return !withMyself && call.ownerId === myId && Object.values(call.sessions).every(({userId}) => userId === myId);
}

/** Direct and group messages: there a call is meant for somebody. */
export function isPersonal(channel: Channel | undefined): boolean {
    return channel?.type === 'D' || channel?.type === 'G';
}

/** The person is in the call, with this page or another device. */
export function isIn(call: Call, userId: string): boolean {
    return Object.values(call.sessions).some((session) => session.userId === userId);
}

/** Sessions of this person that are not this page. */
export function ownElsewhere(call: Call | undefined, myId: string, sessionId: string): readonly string[] {
    return Object.values(call?.sessions ?? {})
        .filter((session) => session.userId === myId && session.sessionId !== sessionId)
        .map((session) => session.sessionId);
}
