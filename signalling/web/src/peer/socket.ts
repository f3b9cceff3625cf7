/**
 * The WebSocket of one call: Calls actions out, server events in, and reconnecting.
 *
 * In: actions with their data. Out: events by name, and whether the server can be reached.
 * Not here: what the events mean (`client`), messages of channels (`api/live`).
 * Invariant: actions sent while the socket is down are delivered in order once it is back,
 * after the `reconnect` action that re-attaches the session.
 */
import {encodeBinaryAction} from './codec';
import {ACTION_PREFIX, isRecord} from './record';

const PING_EVERY_MS = 5000;
const FIRST_RETRY_MS = 1000;
const RETRY_STEP_MS = 500;
const GIVE_UP_AFTER_MS = 30_000;
const PONG_MISSING_CODE = 4000;
/** Actions kept while the socket is down; more than a person can cause in the 30 s before giving up. */
const MAX_WAITING = 200;

export interface ServerEvent {
    /** Without the prefix for Calls events, as sent for others. */
    name: string;
    data: Record<string, unknown>;
    channelId: string;
}

export interface SocketListener {
    /** The first connection is authenticated; `connectionId` is the session's id from now on. */
    onReady(connectionId: string): void;
    onEvent(event: ServerEvent): void;
    onInterrupted(): void;
    /** The server is back; the session was re-attached. */
    onRestored(): void;
    /** Not reachable for 30 s, or never. Nothing follows. */
    onGone(): void;
}

type Waiting = {action: string; data: Record<string, unknown>} | {action: string; bytes: Uint8Array};

export class CallsSocket {
    private socket: WebSocket | null = null;
    private actionSeq = 1;
    private eventSeq = 0;
    private connectionId = '';
    private originalId = '';
    private waiting: Waiting[] = [];
    private pingTimer: ReturnType<typeof setInterval> | null = null;
    private retryTimer: ReturnType<typeof setTimeout> | null = null;
    private unansweredPing = 0;
    private downSince: number | null = null;
    private retryDelay = FIRST_RETRY_MS;
    private closed = false;

    constructor(
        private readonly url: string,
        private readonly channelId: string,
        private readonly listener: SocketListener,
    ) {}

    /** The session's id: the id of the first connection. Empty before `onReady`. */
    get sessionId(): string {
        return this.originalId;
    }

    isOwnConnection(id: unknown): boolean {
        return typeof id === 'string' && id !== '' && (id === this.connectionId || id === this.originalId);
    }

    open(): void {
        const query = `?connection_id=${encodeURIComponent(this.connectionId)}&sequence_number=${this.eventSeq}`;
        const socket = new WebSocket(this.url + query);
        socket.binaryType = 'arraybuffer';
        this.socket = socket;
        socket.onopen = () => this.opened();
        socket.onmessage = (message) => this.received(message.data);
        socket.onclose = () => this.lost(socket);
        socket.onerror = () => undefined; // `close` follows and is handled there
    }

    send(action: string, data: Record<string, unknown> = {}): void {
        this.deliver({action, data});
    }

    sendBytes(action: string, bytes: Uint8Array): void {
        this.deliver({action, bytes});
    }

    /** Says `leave` if the server hears it, and closes for good. */
    close(leave: boolean): void {
        if (this.closed) {
            return;
        }
        this.closed = true;
        this.stopTimers();
        const socket = this.socket;
        if (socket) {
            if (leave && socket.readyState === WebSocket.OPEN) {
                this.write({action: 'leave', data: {}});
            }
            socket.onclose = null;
            socket.close();
            this.socket = null;
        }
    }

    private opened(): void {
        this.startPings();
        if (this.originalId === '') {
            return; // `hello` follows, then the call is joined
        }
        // Before any `hello`: the server keeps the session only for seconds.
        this.write({action: 'reconnect', data: {
            channelID: this.channelId,
            originalConnID: this.originalId,
            prevConnID: this.connectionId,
        }});
        const waiting = this.waiting;
        this.waiting = [];
        waiting.forEach((item) => this.write(item));
        this.write({action: 'call_state', data: {channelID: this.channelId}});
        this.downSince = null;
        this.retryDelay = FIRST_RETRY_MS;
        this.listener.onRestored();
    }

    private received(frame: unknown): void {
        const message = parseFrame(frame);
        if (!message) {
            return;
        }
        if (typeof message['seq_reply'] === 'number') {
            if (message['seq_reply'] === this.unansweredPing) {
                this.unansweredPing = 0;
            }
            return;
        }
        const name = message['event'];
        if (typeof name !== 'string') {
            return;
        }
        if (typeof message['seq'] === 'number') {
            this.eventSeq = message['seq'] + 1;
        }
        const data = isRecord(message['data']) ? message['data'] : {};
        if (name === 'hello') {
            this.greeted(data['connection_id']);
            return;
        }
        if (this.connectionId === '') {
            return;
        }
        const broadcast = isRecord(message['broadcast']) ? message['broadcast'] : {};
        const channelId = [broadcast['channel_id'], data['channelID'], data['channel_id']]
            .find((id): id is string => typeof id === 'string' && id !== '') ?? '';
        const bare = name.startsWith(ACTION_PREFIX) ? name.slice(ACTION_PREFIX.length) : name;
        this.listener.onEvent({name: bare, data, channelId});
    }

    private greeted(id: unknown): void {
        if (typeof id !== 'string' || id === this.connectionId) {
            return;
        }
        const first = this.originalId === '';
        this.connectionId = id;
        if (first) {
            this.originalId = id;
            this.downSince = null;
            this.retryDelay = FIRST_RETRY_MS;
            this.listener.onReady(id);
        }
    }

    private lost(socket: WebSocket): void {
        if (this.closed || socket !== this.socket) {
            return;
        }
        this.socket = null;
        this.stopTimers();
        const now = Date.now();
        if (this.downSince === null) {
            this.downSince = now;
            this.listener.onInterrupted();
        }
        if (now - this.downSince >= GIVE_UP_AFTER_MS) {
            this.closed = true;
            this.listener.onGone();
            return;
        }
        this.retryTimer = setTimeout(() => this.open(), this.retryDelay);
        this.retryDelay += RETRY_STEP_MS;
    }

    private startPings(): void {
        this.ping();
        this.pingTimer = setInterval(() => {
            const socket = this.socket;
            if (this.unansweredPing !== 0 && socket) {
                socket.onclose = null;
                socket.close(PONG_MISSING_CODE);
                this.lost(socket);
                return;
            }
            this.ping();
        }, PING_EVERY_MS);
    }

    private ping(): void {
        if (this.socket?.readyState === WebSocket.OPEN) {
            this.unansweredPing = this.actionSeq++;
            this.socket.send(JSON.stringify({action: 'ping', seq: this.unansweredPing}));
        }
    }

    private deliver(item: Waiting): void {
        if (this.socket?.readyState === WebSocket.OPEN) {
            this.write(item);
        } else if (!this.closed && this.waiting.length < MAX_WAITING) {
            this.waiting.push(item);
        }
    }

    private write(item: Waiting): void {
        const seq = this.actionSeq++;
        if ('bytes' in item) {
            this.socket?.send(encodeBinaryAction(item.action, seq, item.bytes) as Uint8Array<ArrayBuffer>);
        } else {
            this.socket?.send(JSON.stringify({action: ACTION_PREFIX + item.action, seq, data: item.data}));
        }
    }

    private stopTimers(): void {
        if (this.pingTimer) {
            clearInterval(this.pingTimer);
            this.pingTimer = null;
        }
        if (this.retryTimer) {
            clearTimeout(this.retryTimer);
            this.retryTimer = null;
        }
        this.unansweredPing = 0;
    }
}

function parseFrame(frame: unknown): Record<string, unknown> | null {
    if (typeof frame !== 'string') {
        return null;
    }
    try {
        const message: unknown = JSON.parse(frame);
        return isRecord(message) ? message : null;
    } catch {
        return null;
    }
}
