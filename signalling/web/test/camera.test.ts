/** The own camera: opened on demand, published once, taken back, exchanged, and released when it goes away. */
import {afterEach, expect, it, vi} from 'vitest';
import {CameraShown} from '../src/peer/camera';
import type {MediaConnection} from '../src/peer/connection';

afterEach(() => vi.unstubAllGlobals());

class FakeTrack {
    stopped = false;
    onended: (() => void) | null = null;

    constructor(readonly label: string) {}

    stop(): void {
        this.stopped = true;
    }
}

interface Bench {
    camera: CameraShown;
    said: string[];
    tracks: FakeTrack[];
    plugged: string[];
    wish: {deviceId: string};
    failure: {name: string};
}

function bench(): Bench {
    const said: string[] = [];
    const tracks: FakeTrack[] = [];
    const plugged = ['lid', 'desk'];
    const wish = {deviceId: ''};
    const failure = {name: ''};
    vi.stubGlobal('navigator', {mediaDevices: {
        getUserMedia: ({video}: {video: {deviceId?: {exact: string}}}) => {
            const wanted = video.deviceId?.exact ?? plugged[0];
            const name = failure.name || (wanted === undefined || !plugged.includes(wanted) ? 'NotFoundError' : '');
            if (name !== '') {
                return Promise.reject(Object.assign(new Error(name), {name}));
            }
            const track = new FakeTrack(wanted ?? '');
            tracks.push(track);
            return Promise.resolve({id: `stream-${tracks.length}`, getVideoTracks: () => [track], getTracks: () => [track]});
        },
    }});
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const connection = {publish: (track: FakeTrack) => {
        said.push(`publish ${track.label}`);
        return Promise.resolve({replaceTrack: (next: FakeTrack | null) => {
            said.push(`replace ${next?.label ?? 'none'}`);
            return Promise.resolve();
        }});
    }} as unknown as MediaConnection;
    const camera = new CameraShown({connection: () => connection, wish: () => wish.deviceId, send: (id) => said.push(id ?? 'off')}, {
        onOwnCamera: (stream) => said.push(stream ? 'seen' : 'gone'),
        onCameraFellBack: (label) => said.push(`fell back: ${label}`),
        onProblem: ({code}) => said.push(code),
    });
    return {camera, said, tracks, plugged, wish, failure};
}

it('is published once and shown again under another stream, without a negotiation', async () => {
    const {camera, said, tracks} = bench();
    await camera.setOn(true);
    await camera.setOn(true);
    expect(camera.on).toBe(true);
    await camera.setOn(false);
    expect(tracks[0]?.stopped).toBe(true);
    await camera.setOn(true);
    expect(said).toEqual(['seen', 'stream-1', 'publish lid', 'gone', 'off', 'replace none', 'seen', 'stream-2', 'replace lid']);
});

it('is exchanged while it is shown, and only then', async () => {
    const {camera, said, wish} = bench();
    wish.deviceId = 'desk';
    await camera.exchange();
    expect(said).toEqual([]);
    await camera.setOn(true);
    wish.deviceId = 'lid';
    await camera.exchange();
    expect(said.slice(-2)).toEqual(['stream-2', 'replace lid']);
});

it('takes another one when the wished is gone, and says so', async () => {
    const {camera, said, plugged, wish} = bench();
    wish.deviceId = 'desk';
    plugged.splice(1);
    await camera.setOn(true);
    expect(said).toContain('fell back: lid');
    expect(camera.on).toBe(true);
});

it('is off when it was unplugged', async () => {
    const {camera, said, tracks} = bench();
    await camera.setOn(true);
    tracks[0]?.onended?.();
    await camera.setOn(false); // waits for what was begun
    expect(camera.on).toBe(false);
    expect(said.slice(-4)).toEqual(['gone', 'off', 'replace none', 'fell back: ']);
});

it.each([['NotAllowedError', 'camera-denied'], ['NotFoundError', 'camera-missing'], ['AbortError', 'camera-busy']])('says why it cannot be shown: %s', async (name, code) => {
    const {camera, said, failure} = bench();
    failure.name = name;
    await camera.setOn(true);
    expect([camera.on, said]).toEqual([false, [code]]);
});

it('is released with the call, and stays so', async () => {
    const {camera, tracks} = bench();
    await camera.setOn(true);
    camera.close();
    expect(tracks[0]?.stopped).toBe(true);
    await camera.setOn(true);
    expect(tracks).toHaveLength(1);
});
