/**
 * Which calls run where and who is in them, as the server's events tell it.
 *
 * In: Calls events by name with their data. Out: the next map of calls by channel.
 * Not here: the own connection (`active`), who people are (`chat`).
 * Invariants: pure; applying an event twice changes nothing the second time; an event about a call
 * that is not known is ignored until `call_state` or `call_start` describes it.
 */
import {isRecord} from '../peer/record';

export interface Session {
    sessionId: string;
    userId: string;
    unmuted: boolean;
    /** Epoch ms since when; 0 when lowered. */
    raisedHand: number;
    speaking: boolean;
    /** Shows a camera. */
    video: boolean;
    /** Milliseconds since it was last heard when the state was told, 0 while it speaks; missing: long ago, or the server does not say. */
    silentFor?: number;
}

export interface Job {
    /** Epoch ms; 0 while not reached. */
    initAt: number;
    startAt: number;
    endAt: number;
    /** Since when nothing is recorded; 0 while it is. */
    pausedAt: number;
    /** How much of it is made, 0 to 100; null before that is known. */
    progress: number | null;
    error: string;
}

/** What bots do in a call. */
export interface Jobs {
    recording: Job | null;
    transcription: Job | null;
    captions: Job | null;
}

export interface Call extends Jobs {
    id: string;
    channelId: string;
    startAt: number;
    sessions: Readonly<Record<string, Session>>;
    threadId: string;
    postId: string;
    ownerId: string;
    hostId: string;
    /** Empty when nobody shares. */
    screenSessionId: string;
    /** This person does not want it to ring, here or on another device. */
    dismissed: boolean;
}

export type Calls = Readonly<Record<string, Call>>;

export function applyCallsEvent(calls: Calls, name: string, channelId: string, data: Record<string, unknown>): Calls {
    switch (name) {
    case 'call_start':
        return started(calls, channelId, data);
    case 'call_state':
        return stated(calls, text(data['channel_id']) || channelId, data['call']);
    case 'call_end':
        return without(calls, channelId);
    case 'user_dismissed_notification':
        return dismissed(calls, text(data['callID']));
    default: {
        const call = calls[channelId];
        if (!call) {
            return calls;
        }
        const next = applyToCall(call, name, data);
        if (next === call) {
            return calls;
        }
        return next ? {...calls, [channelId]: next} : without(calls, channelId);
    }
    }
}

/** Reads a call as the REST API and `call_state` describe it; null when it is none. */
export function parseCall(channelId: string, value: unknown): Call | null {
    if (!isRecord(value) || text(value['id']) === '') {
        return null;
    }
    const sessions: Record<string, Session> = {};
    for (const entry of Array.isArray(value['sessions']) ? value['sessions'] as unknown[] : []) {
        if (isRecord(entry) && text(entry['session_id']) !== '') {
            const sessionId = text(entry['session_id']);
            sessions[sessionId] = {
                sessionId,
                userId: text(entry['user_id']),
                unmuted: entry['unmuted'] === true,
                raisedHand: number(entry['raised_hand']),
                speaking: entry['silent_for'] === 0,
                video: entry['video'] === true,
                ...(typeof entry['silent_for'] === 'number' && {silentFor: entry['silent_for']}),
            };
        }
    }
    return {
        id: text(value['id']),
        channelId,
        startAt: number(value['start_at']),
        sessions,
        threadId: text(value['thread_id']),
        postId: text(value['post_id']),
        ownerId: text(value['owner_id']),
        hostId: text(value['host_id']),
        screenSessionId: text(value['screen_sharing_session_id']),
        recording: parseJob(value['recording']),
        transcription: parseJob(value['transcription']),
        captions: parseJob(value['live_captions']),
        // The server tells everybody of their own dismissal only.
        dismissed: isRecord(value['dismissed_notification']) && Object.values(value['dismissed_notification']).includes(true),
    };
}

export function isRunning(job: Job | null): boolean {
    return job !== null && job.startAt > 0 && job.endAt === 0;
}

/** Runs, and keeps nothing of what happens now. */
export function isPaused(job: Job | null): boolean {
    return job !== null && isRunning(job) && job.pausedAt > 0;
}

/** Asked for, and neither running nor over. */
export function isStarting(job: Job | null): boolean {
    return job !== null && job.startAt === 0 && job.endAt === 0 && job.error === '';
}

/** A transcript is being made, and nothing is known against it. */
export function willBeTranscribed(call: Call): boolean {
    return call.transcription !== null && call.transcription.endAt === 0 && call.transcription.error === '';
}

/** A part of a recording that did not succeed, with the server's words. */
export interface RecordingFault {
    part: 'recording' | 'transcript' | 'captions';
    reason: string;
    /** Which kind of failure it was, where the server sorts them. */
    failure?: string;
}

export function recordingFaults(call: Jobs): RecordingFault[] {
    const parts: readonly [RecordingFault['part'], Job | null][] = [
        ['recording', call.recording], ['transcript', call.transcription], ['captions', call.captions],
    ];
    return parts.flatMap(([part, job]) => (job?.error ? [{part, reason: job.error}] : []));
}

function started(calls: Calls, channelId: string, data: Record<string, unknown>): Calls {
    const call = parseCall(channelId, data);
    const known = calls[channelId];
    if (!call || known?.id === call.id) {
        return calls;
    }
    return {...calls, [channelId]: call};
}

function stated(calls: Calls, channelId: string, value: unknown): Calls {
    let parsed: unknown = value;
    if (typeof value === 'string') {
        try {
            parsed = JSON.parse(value);
        } catch {
            return calls;
        }
    }
    const call = parseCall(channelId, parsed);
    if (!call) {
        return calls;
    }
    // Not every server says who speaks: keep what was heard.
    const before = calls[channelId]?.sessions ?? {};
    const sessions: Record<string, Session> = {};
    for (const [id, session] of Object.entries(call.sessions)) {
        sessions[id] = {...session, speaking: session.unmuted && (session.silentFor === undefined ? before[id]?.speaking ?? false : session.speaking)};
    }
    return {...calls, [channelId]: {...call, sessions}};
}

/** The event names the call and no channel: it goes to a person, not to a channel. */
function dismissed(calls: Calls, callId: string): Calls {
    const call = Object.values(calls).find(({id}) => id === callId);
    return !call || call.dismissed ? calls : {...calls, [call.channelId]: {...call, dismissed: true}};
}

/** Null when the call is over. */
function applyToCall(call: Call, name: string, data: Record<string, unknown>): Call | null {
    const sessionId = text(data['session_id']);
    switch (name) {
    case 'user_joined':
        return joined(call, sessionId, text(data['user_id']));
    case 'user_left':
        return left(call, sessionId);
    case 'user_muted':
        return changed(call, sessionId, {unmuted: false, speaking: false});
    case 'user_unmuted':
        return changed(call, sessionId, {unmuted: true});
    case 'user_voice_on':
        return changed(call, sessionId, {speaking: true});
    case 'user_voice_off':
        return changed(call, sessionId, {speaking: false});
    case 'user_video_on':
        return changed(call, sessionId, {video: true});
    case 'user_video_off':
        return changed(call, sessionId, {video: false});
    case 'user_raise_hand':
        return changed(call, sessionId, {raisedHand: number(data['raised_hand'])});
    case 'user_unraise_hand':
        return changed(call, sessionId, {raisedHand: 0});
    case 'user_screen_on':
        return call.screenSessionId === sessionId ? call : {...call, screenSessionId: sessionId};
    case 'user_screen_off':
        // Without a session: the sharer vanished.
        return call.screenSessionId !== '' && (sessionId === '' || sessionId === call.screenSessionId)
            ? {...call, screenSessionId: ''} : call;
    case 'call_host_changed': {
        const hostId = text(data['hostID']);
        return hostId === call.hostId ? call : {...call, hostId};
    }
    case 'call_job_state':
        return jobChanged(call, data['jobState']);
    default:
        return call;
    }
}

function joined(call: Call, sessionId: string, userId: string): Call {
    if (sessionId === '' || call.sessions[sessionId]) {
        return call;
    }
    const session: Session = {sessionId, userId, unmuted: false, raisedHand: 0, speaking: false, video: false};
    return {...call, sessions: {...call.sessions, [sessionId]: session}};
}

function left(call: Call, sessionId: string): Call | null {
    if (!call.sessions[sessionId]) {
        return call;
    }
    const sessions = {...call.sessions};
    delete sessions[sessionId];
    if (Object.keys(sessions).length === 0) {
        return null;
    }
    const screenSessionId = call.screenSessionId === sessionId ? '' : call.screenSessionId;
    return {...call, sessions, screenSessionId};
}

function changed(call: Call, sessionId: string, change: Partial<Session>): Call {
    const session = call.sessions[sessionId];
    if (!session) {
        return call;
    }
    const next = {...session, ...change};
    const same = next.video === session.video && next.unmuted === session.unmuted && next.speaking === session.speaking && next.raisedHand === session.raisedHand;
    return same ? call : {...call, sessions: {...call.sessions, [sessionId]: next}};
}

/** The job of an event alone: its call is over. */
export function withJob(value: unknown): Jobs {
    return jobChanged({recording: null, transcription: null, captions: null}, value);
}

function jobChanged<T extends Jobs>(call: T, value: unknown): T {
    const job = parseJob(value);
    if (!job || !isRecord(value)) {
        return call;
    }
    switch (value['type']) {
    case 'recording':
        return {...call, recording: job};
    case 'transcribing':
        return {...call, transcription: job};
    case 'captioning':
        return {...call, captions: job};
    default:
        return call;
    }
}

function parseJob(value: unknown): Job | null {
    if (!isRecord(value)) {
        return null;
    }
    return {
        initAt: number(value['init_at']),
        startAt: number(value['start_at']),
        endAt: number(value['end_at']),
        pausedAt: number(value['paused_at']),
        progress: typeof value['progress'] === 'number' && value['progress'] >= 0 && value['progress'] <= 100 ? value['progress'] : null,
        error: text(value['err']),
    };
}

function without(calls: Calls, channelId: string): Calls {
    if (!calls[channelId]) {
        return calls;
    }
    const rest = {...calls};
    delete rest[channelId];
    return rest;
}

function text(value: unknown): string {
    return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
    return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}
