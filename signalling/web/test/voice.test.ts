/** The own microphone: opened by the first unmute, exchanged, and replaced when it goes away. */
import {afterEach, describe, expect, it, vi} from 'vitest';
import {callEvent} from '../src/app/callevents';
import {listenWhileMuted, mayHear} from '../src/app/devices';
import {setOwnClient} from '../src/app/own';
import type {CallsClient} from '../src/peer/client';
import type {MediaConnection} from '../src/peer/connection';
import {Voice, type VoiceListener} from '../src/peer/voice';
import {newActiveCall, type ActiveCall} from '../src/state/active';
import {patch} from '../src/state/app';
import {DEFAULT_SETTINGS, settings, type Settings} from '../src/state/settings';

afterEach(() => vi.unstubAllGlobals());

class FakeTrack {
    enabled = true;
    stopped = false;
    onended: (() => void) | null = null;

    constructor(readonly label: string) {}

    stop(): void {
        this.stopped = true;
    }
}

interface Bench {
    voice: Voice;
    said: string[];
    tracks: FakeTrack[];
    sending: () => unknown;
    /** Devices that are plugged in, the usual one first. */
    plugged: string[];
    wish: {deviceId: string; noiseSuppression: boolean};
}

function bench(): Bench {
    const said: string[] = [];
    const tracks: FakeTrack[] = [];
    const plugged = ['desk', 'headset'];
    const wish = {deviceId: '', noiseSuppression: true};
    let sending: unknown = null;
    vi.stubGlobal('navigator', {mediaDevices: {
        getUserMedia: ({audio}: {audio: {deviceId?: {exact: string}}}) => {
            const wanted = audio.deviceId?.exact ?? plugged[0];
            if (wanted === undefined || !plugged.includes(wanted)) {
                return Promise.reject(Object.assign(new Error('none'), {name: 'NotFoundError'}));
            }
            const track = new FakeTrack(wanted);
            tracks.push(track);
            return Promise.resolve({getAudioTracks: () => [track], getTracks: () => [track]});
        },
    }});
    const sender = {replaceTrack: (track: unknown) => {
        sending = track;
        return Promise.resolve();
    }};
    const connection = {publish: (track: unknown) => {
        sending = track;
        return Promise.resolve(sender);
    }} as unknown as MediaConnection;
    const listener: VoiceListener = {
        onMuted: (muted) => said.push(muted ? 'muted' : 'unmuted'),
        onMicrophone: (stream) => said.push(stream ? 'open' : 'closed'),
        onFellBack: (label) => said.push(`fell back to ${label || 'nothing yet'}`),
        onProblem: ({code}) => said.push(code),
    };
    const voice = new Voice({connection: () => connection, wish: () => wish, send: (action) => said.push(`>${action}`)}, listener);
    return {voice, said, tracks, sending: () => sending, plugged, wish};
}

describe('the own voice', () => {
    it('opens the microphone with the first word and keeps it silent while muted', async () => {
        const {voice, said, tracks, sending} = bench();
        await voice.setMuted(false);
        expect(said).toEqual(['open', '>unmute', 'unmuted']);
        await voice.setMuted(true);
        expect(said.slice(3)).toEqual(['>mute', 'muted']);
        expect([tracks.length, tracks[0]?.enabled, sending()]).toEqual([1, false, null]);
    });

    it('takes another microphone at once when the person is heard', async () => {
        const {voice, tracks, sending, wish} = bench();
        await voice.setMuted(false);
        wish.deviceId = 'headset';
        await voice.exchange();
        expect(tracks.map(({label, stopped}) => [label, stopped])).toEqual([['desk', true], ['headset', false]]);
        expect(sending()).toBe(tracks[1]);
    });

    it('takes it with the next word when the person is muted', async () => {
        const {voice, said, tracks, wish} = bench();
        await voice.setMuted(false);
        await voice.setMuted(true);
        wish.deviceId = 'headset';
        await voice.exchange();
        expect([tracks.length, tracks[0]?.stopped, said.at(-1)]).toEqual([1, true, 'closed']);
        await voice.setMuted(false);
        expect(tracks.at(-1)?.label).toBe('headset');
    });

    it('goes on with another one when the microphone goes away', async () => {
        const {voice, said, tracks, plugged, sending, wish} = bench();
        wish.deviceId = 'headset';
        await voice.setMuted(false);
        plugged.pop();
        tracks[0]?.onended?.();
        await voice.setMuted(false);
        expect(said.filter((word) => word.startsWith('fell back'))).toEqual(['fell back to desk']);
        expect(voice.muted).toBe(false);
        expect(sending()).toBe(tracks[1]);
    });

    it('is muted, with a reason, when no microphone is left', async () => {
        const {voice, said, tracks, plugged} = bench();
        await voice.setMuted(false);
        plugged.length = 0;
        tracks[0]?.onended?.();
        await vi.waitFor(() => expect(said).toContain('microphone-missing'));
        expect(voice.muted).toBe(true);
        expect(said.filter((word) => word.startsWith('fell back'))).toEqual([]);
    });

    it('hears who is muted without sending it, and speaks with the same microphone', async () => {
        const {voice, said, tracks, sending} = bench();
        await voice.listen();
        await voice.listen();
        expect([said, tracks.length, tracks[0]?.enabled, sending(), voice.muted]).toEqual([['open'], 1, false, null, true]);
        await voice.setMuted(false);
        expect([tracks.length, tracks[0]?.enabled, sending()]).toEqual([1, true, tracks[0]]);
        await voice.listen();
        expect(tracks[0]?.enabled).toBe(true);
    });

    it('says nothing of a microphone that cannot be listened to, and goes on', async () => {
        vi.spyOn(console, 'info').mockImplementation(() => undefined);
        const {voice, said, plugged} = bench();
        const all = plugged.splice(0);
        await voice.listen();
        expect([said, voice.muted]).toEqual([[], true]);
        plugged.push(...all);
        await voice.setMuted(false);
        expect(said.at(-1)).toBe('unmuted');
        voice.close();
        await voice.listen();
        expect(said.filter((word) => word === 'open')).toHaveLength(1);
    });

    it.each([
        ['granted', [], true], ['prompt', ['Desk'], false], ['denied', ['Desk'], false], [null, ['Desk'], true], [null, [''], false], [null, [], false],
    ])('is listened to where the browser asks nobody: %s, %j', async (state, labels, expected) => {
        vi.stubGlobal('HTMLMediaElement', class {});
        vi.stubGlobal('navigator', {
            permissions: {query: () => (state ? Promise.resolve({state}) : Promise.reject(new TypeError('microphone')))},
            mediaDevices: {enumerateDevices: () => Promise.resolve(labels.map((label, at) => ({kind: 'audioinput', deviceId: `m${at}`, label})))},
        });
        expect(await mayHear()).toBe(expected);
    });

    it.each<[string, PermissionState, Partial<Settings>, ActiveCall['connection'], number]>([
        ['in a call', 'granted', {}, 'connected', 1], ['where the browser would ask', 'prompt', {}, 'connected', 0], ['when that is switched off', 'granted', {hearMuted: false}, 'connected', 0],
        ['with push to talk', 'granted', {pushToTalk: true}, 'connected', 0], ['before the call is there', 'granted', {}, 'joining', 0],
    ])('is listened to while muted only where nothing speaks against it: %s', async (_, state, change, connection, times) => {
        vi.stubGlobal('navigator', {permissions: {query: () => Promise.resolve({state})}});
        vi.stubGlobal('window', {});
        const listen = vi.fn(() => Promise.resolve());
        settings.update(() => ({...DEFAULT_SETTINGS, ...change}));
        patch({active: {...newActiveCall('c'), connection}});
        setOwnClient({listen} as unknown as CallsClient);
        await listenWhileMuted();
        expect(listen).toHaveBeenCalledTimes(times);
        setOwnClient(null);
        patch({active: null});
        settings.update(() => DEFAULT_SETTINGS);
    });

    it('is said again where the server did not hear it before it died', () => {
        vi.stubGlobal('window', {});
        const setMuted = vi.fn(() => Promise.resolve());
        setOwnClient({muted: false, setMuted} as unknown as CallsClient);
        patch({active: {...newActiveCall('c'), connection: 'connected', sessionId: 's', muted: false}});
        const hears = (unmuted: boolean): void => {
            const call = {id: 'call', start_at: 1, sessions: [{session_id: 's', user_id: 'u', unmuted, raised_hand: 0, video: false}], thread_id: '', post_id: '', owner_id: 'u', host_id: 'u', screen_sharing_session_id: ''};
            callEvent({name: 'call_state', channelId: 'c', data: {channel_id: 'c', call: JSON.stringify(call)}});
        };
        hears(true);
        expect(setMuted).not.toHaveBeenCalled();
        hears(false);
        expect(setMuted).toHaveBeenCalledExactlyOnceWith(false);
        setOwnClient(null);
        patch({active: null, calls: {}});
    });

    it('releases the microphone at the end', async () => {
        const {voice, said, tracks} = bench();
        await voice.setMuted(false);
        voice.close();
        expect([tracks[0]?.stopped, said.at(-1)]).toEqual([true, 'closed']);
    });
});
