import {encode} from '@msgpack/msgpack';
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import {decodeChannelMessage, packDescription, type Description} from '../src/peer/codec';
import {MediaConnection, type LinkState} from '../src/peer/connection';

/** Stands for the browser's peer connection: signalling states only, no media. */
class FakePeer {
    static last: FakePeer;
    signalingState = 'stable';
    connectionState = 'new';
    localDescription: Description | null = null;
    remoteDescription: Description | null = null;
    log: string[] = [];
    candidates: unknown[] = [];
    channel = new FakeChannel();
    onconnectionstatechange: (() => void) | null = null;
    private offers = 0;

    constructor() {
        FakePeer.last = this;
    }

    createDataChannel(label: string): FakeChannel {
        this.log.push(`channel ${label}`);
        return this.channel;
    }

    async setLocalDescription(wish?: {type: string}): Promise<void> {
        if (wish?.type === 'rollback') {
            this.signalingState = 'stable';
            this.log.push('rollback');
            return;
        }
        if (this.signalingState === 'have-remote-offer') {
            this.localDescription = {type: 'answer', sdp: 'own answer'};
            this.signalingState = 'stable';
        } else {
            this.offers += 1;
            this.localDescription = {type: 'offer', sdp: `own offer ${this.offers}`};
            this.signalingState = 'have-local-offer';
        }
    }

    async setRemoteDescription(description: Description): Promise<void> {
        this.remoteDescription = description;
        this.signalingState = description.type === 'offer' ? 'have-remote-offer' : 'stable';
        this.log.push(`remote ${description.type}`);
    }

    async addIceCandidate(candidate: unknown): Promise<void> {
        this.candidates.push(candidate);
    }

    addTransceiver(): {sender: object} {
        this.log.push('add');
        return {sender: {}};
    }

    removeTrack(): void {
        this.log.push('remove');
    }

    close(): void {
        this.connectionState = 'closed';
    }
}

class FakeChannel {
    readyState = 'connecting';
    binaryType = '';
    sent: string[] = [];
    onopen: (() => void) | null = null;
    onmessage: ((message: {data: ArrayBuffer}) => void) | null = null;
    /** Replies of the server to lock requests, in order; true when used up. */
    lockReplies: boolean[] = [];

    send(bytes: Uint8Array): void {
        const message = decodeChannelMessage(bytes);
        if (bytes[0] === 7 && bytes.length === 1) {
            this.sent.push('lock');
            this.receive(Uint8Array.of(7, this.lockReplies.shift() ?? true ? 0xc3 : 0xc2));
        } else if (bytes[0] === 8) {
            this.sent.push('unlock');
        } else if (message.type === 'sdp') {
            this.sent.push(`sdp ${message.description.type}`);
        } else if (message.type !== 'ping') {
            this.sent.push(message.type);
        }
    }

    receive(bytes: Uint8Array): void {
        queueMicrotask(() => this.onmessage?.({data: bytes.slice().buffer}));
    }

    open(): void {
        this.readyState = 'open';
        this.onopen?.();
    }
}

let states: LinkState[];
let carried: string[];

function connection(options: {useLock?: boolean; signalOverChannel?: boolean} = {}): MediaConnection {
    return new MediaConnection({iceServers: [], useLock: options.useLock ?? true, signalOverChannel: options.signalOverChannel ?? false}, {
        onDescription: ({type, sdp}) => carried.push(`${type}: ${sdp}`),
        onCandidate: () => undefined,
        onState: (state) => states.push(state),
        onTrack: () => undefined,
    });
}

async function connected(options: {useLock?: boolean; signalOverChannel?: boolean} = {}): Promise<MediaConnection> {
    const media = connection(options);
    await media.start();
    media.receiveDescription({type: 'answer', sdp: 'first answer'});
    await settle();
    FakePeer.last.channel.open();
    return media;
}

const settle = (): Promise<void> => vi.advanceTimersByTimeAsync(1).then(() => undefined);
const track = {} as MediaStreamTrack;
const stream = {} as MediaStream;

beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('RTCPeerConnection', FakePeer);
    states = [];
    carried = [];
});

afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

describe('a media connection', () => {
    it('first offers a data channel and no media, without the lock, over the WebSocket', async () => {
        await connected({signalOverChannel: true});
        expect(carried).toEqual(['offer: own offer 1']);
        expect(FakePeer.last.log).toEqual(['channel calls-dc', 'remote answer']);
        expect(FakePeer.last.channel.sent).toEqual([]);
    });

    it('publishes under the lock and gives it back after the answer', async () => {
        const media = await connected();
        const done = media.publish(track, stream);
        await settle();
        expect(FakePeer.last.channel.sent).toEqual(['lock']);
        expect(carried.at(-1)).toBe('offer: own offer 2');
        media.receiveDescription({type: 'answer', sdp: 'a'});
        await done;
        expect(FakePeer.last.channel.sent).toEqual(['lock', 'unlock']);
    });

    it('signals over the data channel once that is open, when the server wants it', async () => {
        const media = await connected({signalOverChannel: true});
        const done = media.publish(track, stream);
        await settle();
        FakePeer.last.channel.receive(Uint8Array.of(3, ...encode(packDescription({type: 'answer', sdp: 'a'}))));
        await done;
        expect(FakePeer.last.channel.sent).toEqual(['lock', 'sdp offer', 'unlock']);
        expect(carried).toHaveLength(1);
    });

    it('changes nothing before the data channel is open and the lock is granted', async () => {
        const media = connection();
        await media.start();
        media.receiveDescription({type: 'answer', sdp: 'a'});
        void media.publish(track, stream);
        await settle();
        expect(FakePeer.last.log).not.toContain('add');
        FakePeer.last.channel.lockReplies = [false, false];
        FakePeer.last.channel.open();
        await vi.advanceTimersByTimeAsync(60);
        expect(FakePeer.last.log).not.toContain('add');
        await vi.advanceTimersByTimeAsync(60);
        expect(FakePeer.last.log).toContain('add');
        expect(FakePeer.last.channel.sent).toEqual(['lock', 'lock', 'lock']);
    });

    it('makes changes one at a time', async () => {
        const media = await connected();
        const first = media.publish(track, stream);
        const second = media.unpublish([{} as RTCRtpSender]);
        await settle();
        expect(FakePeer.last.log).toEqual(['channel calls-dc', 'remote answer', 'add']);
        media.receiveDescription({type: 'answer', sdp: 'a'});
        await first;
        await settle();
        expect(FakePeer.last.log.at(-1)).toBe('remove');
        media.receiveDescription({type: 'answer', sdp: 'a'});
        await second;
        expect(FakePeer.last.channel.sent).toEqual(['lock', 'unlock', 'lock', 'unlock']);
    });

    it('answers the server’s offers', async () => {
        const media = await connected();
        media.receiveDescription({type: 'offer', sdp: 'o'});
        await settle();
        expect(carried.at(-1)).toBe('answer: own answer');
        expect(FakePeer.last.channel.sent).toEqual([]);
    });

    it('gives way to a colliding offer, then makes its own again', async () => {
        const media = await connected({useLock: false});
        const done = media.publish(track, stream);
        await settle();
        media.receiveDescription({type: 'offer', sdp: 'o'});
        await settle();
        expect(carried.slice(1)).toEqual(['offer: own offer 2', 'answer: own answer', 'offer: own offer 3']);
        media.receiveDescription({type: 'answer', sdp: 'a'});
        await done;
    });

    it('rolls back, gives the lock back and says so when no answer comes within 10 s', async () => {
        const media = await connected();
        const failed = expect(media.publish(track, stream)).rejects.toThrow('did not answer');
        await vi.advanceTimersByTimeAsync(10_100);
        await failed;
        expect(FakePeer.last.log.at(-1)).toBe('rollback');
        expect(FakePeer.last.channel.sent).toEqual(['lock', 'unlock']);
        media.receiveDescription({type: 'answer', sdp: 'late'});
        await settle();
        expect(FakePeer.last.signalingState).toBe('stable');
        expect(FakePeer.last.log.filter((entry) => entry === 'remote answer')).toHaveLength(1);
    });

    it('keeps candidates that come before the first answer', async () => {
        const media = connection();
        await media.start();
        await media.receiveCandidate({candidate: 'early'});
        expect(FakePeer.last.candidates).toEqual([]);
        media.receiveDescription({type: 'answer', sdp: 'a'});
        await settle();
        expect(FakePeer.last.candidates).toEqual([{candidate: 'early'}]);
    });

    it('has failed when it is not connected within 15 s, and not when it is', async () => {
        await connected();
        await vi.advanceTimersByTimeAsync(15_000);
        expect(states).toEqual(['failed']);
        states.length = 0;
        await connected();
        FakePeer.last.connectionState = 'connected';
        FakePeer.last.onconnectionstatechange?.();
        await vi.advanceTimersByTimeAsync(20_000);
        expect(states).toEqual(['connected']);
    });
});
