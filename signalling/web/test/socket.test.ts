import {decode} from '@msgpack/msgpack';
import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import {CallsSocket} from '../src/peer/socket';

/** Stands for the browser's WebSocket; the test plays the server. */
class FakeSocket {
    static readonly OPEN = 1;
    static all: FakeSocket[] = [];
    readyState = 0;
    binaryType = '';
    sent: (string | Uint8Array)[] = [];
    closedWith: number | undefined;
    onopen: (() => void) | null = null;
    onclose: (() => void) | null = null;
    onmessage: ((message: {data: unknown}) => void) | null = null;

    constructor(readonly url: string) {
        FakeSocket.all.push(this);
    }

    send(frame: string | Uint8Array): void {
        this.sent.push(frame);
    }

    close(code?: number): void {
        this.readyState = 3;
        this.closedWith = code;
    }

    accept(): void {
        this.readyState = FakeSocket.OPEN;
        this.onopen?.();
    }

    event(event: string, data: object, seq: number): void {
        this.onmessage?.({data: JSON.stringify({event, data, broadcast: {}, seq})});
    }

    drop(): void {
        this.readyState = 3;
        this.onclose?.();
    }

    /** Text actions, without pings. */
    get actions(): string[] {
        return this.sent.filter((frame): frame is string => typeof frame === 'string')
            .map((frame) => JSON.parse(frame) as {action: string})
            .map(({action}) => action.replace('custom_com.mattermost.calls_', ''))
            .filter((action) => action !== 'ping');
    }
}

const seen: string[] = [];
const listener = {
    onReady: (id: string) => void seen.push(`ready ${id}`),
    onEvent: ({name, channelId}: {name: string; channelId: string}) => void seen.push(`event ${name} ${channelId}`),
    onInterrupted: () => void seen.push('interrupted'),
    onRestored: () => void seen.push('restored'),
    onGone: () => void seen.push('gone'),
};

function last(): FakeSocket {
    const socket = FakeSocket.all.at(-1);
    if (!socket) {
        throw new Error('no socket was opened');
    }
    return socket;
}

function connected(): CallsSocket {
    const socket = new CallsSocket('ws://host/api/v4/websocket', 'ch1', listener);
    socket.open();
    last().accept();
    last().event('hello', {connection_id: 'conn1'}, 0);
    return socket;
}

beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('WebSocket', FakeSocket);
    FakeSocket.all = [];
    seen.length = 0;
});

afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

describe('the socket of a call', () => {
    it('is ready with the first hello and names its session after it', () => {
        const socket = connected();
        expect(last().url).toBe('ws://host/api/v4/websocket?connection_id=&sequence_number=0');
        expect(seen).toEqual(['ready conn1']);
        expect(socket.sessionId).toBe('conn1');
    });

    it('sends bytes in a binary frame', () => {
        const socket = connected();
        socket.sendBytes('sdp', Uint8Array.of(1, 2));
        const frame = last().sent.at(-1);
        expect(frame).toBeInstanceOf(Uint8Array);
        expect(decode(frame as Uint8Array)).toMatchObject({action: 'custom_com.mattermost.calls_sdp', data: {data: Uint8Array.of(1, 2)}});
    });

    it('re-attaches the session at once on open, then delivers what waited', async () => {
        const socket = connected();
        last().event('custom_com.mattermost.calls_user_joined', {channelID: 'ch1'}, 1);
        last().drop();
        socket.send('mute');
        await vi.advanceTimersByTimeAsync(1000);
        expect(last().url).toContain('connection_id=conn1&sequence_number=2');
        last().accept();
        expect(last().actions).toEqual(['reconnect', 'mute', 'call_state']);
        expect(JSON.parse(String(last().sent.find((frame) => String(frame).includes('reconnect'))))).toMatchObject({
            data: {channelID: 'ch1', originalConnID: 'conn1', prevConnID: 'conn1'},
        });
        expect(seen).toEqual(['ready conn1', 'event user_joined ch1', 'interrupted', 'restored']);
    });

    it('keeps its session id over a new connection id and recognises both', async () => {
        const socket = connected();
        last().drop();
        await vi.advanceTimersByTimeAsync(1000);
        last().accept();
        last().event('hello', {connection_id: 'conn2'}, 0);
        expect(socket.sessionId).toBe('conn1');
        expect(socket.isOwnConnection('conn1')).toBe(true);
        expect(socket.isOwnConnection('conn2')).toBe(true);
        expect(socket.isOwnConnection('other')).toBe(false);
        expect(socket.isOwnConnection('')).toBe(false);
    });

    it('closes with 4000 and tries again when a ping stays unanswered', async () => {
        connected();
        const first = last();
        await vi.advanceTimersByTimeAsync(5000);
        expect(first.closedWith).toBe(4000);
        await vi.advanceTimersByTimeAsync(1000);
        expect(FakeSocket.all).toHaveLength(2);
    });

    it('stays when pings are answered, also by a failure', async () => {
        connected();
        for (let tick = 0; tick < 5; tick++) {
            const ping = JSON.parse(String(last().sent.at(-1))) as {seq: number};
            last().onmessage?.({data: JSON.stringify({status: 'FAIL', seq_reply: ping.seq})});
            await vi.advanceTimersByTimeAsync(5000);
        }
        expect(FakeSocket.all).toHaveLength(1);
    });

    it('gives up 30 s after the first loss', async () => {
        connected();
        last().drop();
        for (let tick = 0; tick < 40 && !seen.includes('gone'); tick++) {
            await vi.advanceTimersByTimeAsync(1000);
            if (last().readyState !== 3) {
                last().drop();
            }
        }
        expect(seen.at(-1)).toBe('gone');
        const tries = FakeSocket.all.length;
        await vi.advanceTimersByTimeAsync(60_000);
        expect(FakeSocket.all).toHaveLength(tries);
    });

    it('says leave before it closes', () => {
        const socket = connected();
        socket.close(true);
        expect(last().actions).toEqual(['leave']);
        socket.close(true);
        expect(last().actions).toEqual(['leave']);
    });

    it('survives frames it cannot read', () => {
        connected();
        for (const data of ['', '{', '[]', 'null', '42', new ArrayBuffer(3)]) {
            last().onmessage?.({data});
        }
        expect(seen).toEqual(['ready conn1']);
    });
});
