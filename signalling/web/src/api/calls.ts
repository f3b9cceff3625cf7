/** The Calls REST routes this client uses, with their answers checked. */
import {isRecord} from '../peer/record';
import type {ServerVersions} from '../peer/version';
import type {CallsConfig} from '../state/app';
import {parseCall, type Call} from '../state/calls';
import {parseSpeech} from '../state/speech';
import {api} from './rest';

export async function fetchCallsConfig(): Promise<CallsConfig> {
    const [config, version] = await Promise.all([api.calls('/config'), api.calls('/version').catch(() => ({}))]);
    const fields = isRecord(config) ? config : {};
    const flag = (key: string): boolean => fields[key] === true;
    return {
        iceServers: parseIceServers(fields['ICEServersConfigs']),
        needsTurnCredentials: flag('NeedsTURNCredentials'),
        allowScreenSharing: fields['AllowScreenSharing'] !== false,
        enableRecordings: flag('EnableRecordings'),
        enableTranscriptions: flag('EnableTranscriptions'),
        enableLiveCaptions: flag('EnableLiveCaptions'),
        enableRinging: flag('EnableRinging'),
        enableSimulcast: flag('EnableSimulcast'),
        enableDcSignaling: flag('EnableDCSignaling'),
        enableVideo: flag('EnableVideo'),
        maxRecordingMinutes: typeof fields['MaxRecordingDuration'] === 'number' ? fields['MaxRecordingDuration'] : 0,
        speech: parseSpeech(fields),
        versions: parseVersions(version),
    };
}

export interface ChannelCalls {
    /** All calls running in channels this person may read. */
    calls: Call[];
    /** Ids of channels where calls are switched off. */
    off: string[];
}

export async function fetchCalls(): Promise<ChannelCalls> {
    const answer = await api.calls('/channels');
    const rows = (Array.isArray(answer) ? answer as unknown[] : []).filter(isRecord);
    return {
        calls: rows.map((row) => (typeof row['channel_id'] === 'string' ? parseCall(row['channel_id'], row['call']) : null)).filter((call) => call !== null),
        off: rows.flatMap(({channel_id: id, enabled}) => (typeof id === 'string' && enabled === false ? [id] : [])),
    };
}

/** Null when none is running. */
export async function fetchCall(channelId: string): Promise<Call | null> {
    const row = await api.calls(`/${encodeURIComponent(channelId)}`);
    return isRecord(row) ? parseCall(channelId, row['call']) : null;
}

export async function fetchTurnServers(): Promise<RTCIceServer[]> {
    return parseIceServers(await api.calls('/turn-credentials'));
}

/** Ends another session of the person who asks. */
export function leaveSession(channelId: string, sessionId: string): Promise<unknown> {
    return api.calls(`/calls/${encodeURIComponent(channelId)}/sessions/${encodeURIComponent(sessionId)}/leave`, {});
}

/** The person's other devices stop ringing as well. */
export function dismissRinging(channelId: string): Promise<unknown> {
    return api.calls(`/calls/${encodeURIComponent(channelId)}/dismiss-notification`, {});
}

export function startRecording(channelId: string): Promise<unknown> {
    return api.calls(`/calls/${encodeURIComponent(channelId)}/recording/start`, {});
}

export function stopRecording(channelId: string): Promise<unknown> {
    return api.calls(`/calls/${encodeURIComponent(channelId)}/recording/stop`, {});
}

export function pauseRecording(channelId: string): Promise<unknown> {
    return api.calls(`/calls/${encodeURIComponent(channelId)}/recording/pause`, {});
}

export function resumeRecording(channelId: string): Promise<unknown> {
    return api.calls(`/calls/${encodeURIComponent(channelId)}/recording/resume`, {});
}

/** A line of captions in another language; refused with 501 where nobody translates. */
export async function translateCaption(channelId: string, from: string, to: string, text: string): Promise<string> {
    const answer = await api.calls(`/calls/${encodeURIComponent(channelId)}/captions/translate`, {from, to, text});
    return isRecord(answer) && typeof answer['text'] === 'string' ? answer['text'] : '';
}

/** What this page noted of its calls, for whoever looks into a fault. */
export function uploadLogs(logs: string, channelId: string, teamId: string): Promise<unknown> {
    return api.calls('/logs/upload', {logs, channel_id: channelId, team_id: teamId});
}

/** What a host asks of the server; `who` names the session or person it happens to, where one does. */
export type HostRequest =
    | {control: 'mute' | 'lower-hand' | 'screen-off' | 'remove'; who: {session_id: string}}
    | {control: 'make'; who: {new_host_id: string}}
    | {control: 'mute-others' | 'end'; who: Record<string, never>};

export function askAsHost(channelId: string, {control, who}: HostRequest): Promise<unknown> {
    return api.calls(`/calls/${encodeURIComponent(channelId)}/host/${control}`, who);
}

function parseVersions(value: unknown): ServerVersions {
    const fields = isRecord(value) ? value : {};
    return {
        ...(typeof fields['version'] === 'string' ? {version: fields['version']} : {}),
        ...(typeof fields['rtcd_version'] === 'string' ? {rtcd_version: fields['rtcd_version']} : {}),
    };
}

function parseIceServers(value: unknown): RTCIceServer[] {
    const servers: RTCIceServer[] = [];
    for (const entry of Array.isArray(value) ? value as unknown[] : []) {
        if (!isRecord(entry) || !Array.isArray(entry['urls'])) {
            continue;
        }
        const urls = entry['urls'].filter((url): url is string => typeof url === 'string');
        const {username, credential} = entry;
        servers.push({
            urls,
            ...(typeof username === 'string' && username ? {username} : {}),
            ...(typeof credential === 'string' && credential ? {credential} : {}),
        });
    }
    return servers;
}
