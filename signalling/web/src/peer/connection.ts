/**
 * One WebRTC connection to the media server: descriptions, candidates, data channel, tracks.
 *
 * In: descriptions and candidates of the server, local tracks. Out: the same towards the server,
 * remote tracks with their kind, the state of the connection.
 * Not here: which WebSocket carries signalling (`client`), capture (`media`).
 * Invariants: the client makes the first offer; later local changes happen one at a time and under
 * the signalling lock; an offer of the server is always answered.
 * See: RFC 9429 (JSEP).
 */
import {
    decodeChannelMessage, encodeJitter, encodeLock, encodeLossRate, encodePing, encodeRoundTripTime, encodeSdp, encodeUnlock,
    type Description, type MediaMap,
} from './codec';
import {SignallingLock} from './lock';
import type {Quality} from './quality';
import {RemoteTracks, type RemoteTrack} from './tracks';

const CHANNEL_LABEL = 'calls-dc';
const PING_EVERY_MS = 1000;
const CONNECT_WITHIN_MS = 15_000;
const ANSWER_WITHIN_MS = 10_000;
/** A local offer that loses against one of the server is made again this often. */
const MAX_ROLLBACKS = 5;

export type LinkState = 'connecting' | 'connected' | 'interrupted' | 'failed';

export interface ConnectionOptions {
    iceServers: RTCIceServer[];
    useLock: boolean;
    signalOverChannel: boolean;
}

export interface ConnectionListener {
    /** A description to carry over the WebSocket. */
    onDescription(description: Description): void;
    onCandidate(candidate: RTCIceCandidate): void;
    onState(state: LinkState): void;
    onTrack(track: RemoteTrack): void;
}

type Outcome = 'answered' | 'rolled-back';

export class MediaConnection {
    private readonly peer: RTCPeerConnection;
    private readonly channel: RTCDataChannel;
    private readonly lock: SignallingLock;
    private readonly tracks: RemoteTracks;
    private candidates: RTCIceCandidateInit[] = [];
    /** Local changes, one after the other. */
    private changes: Promise<void> = Promise.resolve();
    /** Descriptions of the server, one after the other. */
    private incoming: Promise<void> = Promise.resolve();
    private awaitingAnswer: ((outcome: Outcome) => void) | null = null;
    private changing = false;
    private pingTimer: ReturnType<typeof setInterval> | null = null;
    private readonly connectTimer: ReturnType<typeof setTimeout>;
    private opened: () => void = () => undefined;
    private readonly whenOpen: Promise<void>;
    private closed = false;

    constructor(private readonly options: ConnectionOptions, private readonly listener: ConnectionListener) {
        this.peer = new RTCPeerConnection({iceServers: options.iceServers});
        this.channel = this.peer.createDataChannel(CHANNEL_LABEL);
        this.channel.binaryType = 'arraybuffer';
        this.lock = new SignallingLock({
            sendLock: () => this.sendOnChannel(encodeLock()),
            sendUnlock: () => this.sendOnChannel(encodeUnlock()),
        });
        this.tracks = new RemoteTracks((track) => listener.onTrack(track));
        this.whenOpen = new Promise((resolve) => {
            this.opened = resolve;
        });
        this.connectTimer = setTimeout(() => this.report('failed'), CONNECT_WITHIN_MS);
        this.watch();
    }

    /** Makes the first offer: the data channel and no media. */
    async start(): Promise<void> {
        this.changing = true;
        try {
            await this.peer.setLocalDescription();
            this.sendDescription();
        } finally {
            this.changing = false;
        }
    }

    /** A description the WebSocket brought. */
    receiveDescription(description: Description): void {
        this.incoming = this.incoming.then(() => this.apply(description)).catch((error: unknown) => {
            console.warn('parley: a session description of the server was refused', error);
        });
    }

    async receiveCandidate(candidate: RTCIceCandidateInit): Promise<void> {
        if (!this.peer.remoteDescription) {
            this.candidates.push(candidate);
            return;
        }
        try {
            await this.peer.addIceCandidate(candidate);
        } catch (error) {
            console.warn('parley: a candidate of the server was refused', error);
        }
    }

    /** Publishes a track in its own media section; resolves when the server has accepted it. */
    async publish(track: MediaStreamTrack, stream: MediaStream, encodings?: RTCRtpEncodingParameters[]): Promise<RTCRtpSender> {
        let transceiver: RTCRtpTransceiver | undefined;
        await this.change(() => {
            transceiver = this.peer.addTransceiver(track, {
                direction: 'sendonly',
                streams: [stream],
                ...(encodings ? {sendEncodings: encodings} : {}),
            });
        });
        if (!transceiver) {
            throw new Error('the track was not added');
        }
        return transceiver.sender;
    }

    /** Takes published tracks back. */
    async unpublish(senders: RTCRtpSender[]): Promise<void> {
        await this.change(() => {
            senders.forEach((sender) => this.peer.removeTrack(sender));
        });
    }

    /** Of everything, or of what one track needs. */
    stats(track: MediaStreamTrack | null = null): Promise<RTCStatsReport> {
        return this.peer.getStats(track);
    }

    sendQuality(quality: Quality): void {
        this.sendOnChannel(encodeLossRate(quality.lossRate));
        this.sendOnChannel(encodeRoundTripTime(quality.roundTripTime));
        this.sendOnChannel(encodeJitter(quality.jitter));
    }

    close(): void {
        this.closed = true;
        clearTimeout(this.connectTimer);
        if (this.pingTimer) {
            clearInterval(this.pingTimer);
        }
        this.lock.abandon();
        this.tracks.clear();
        this.peer.close();
    }

    private watch(): void {
        this.peer.onicecandidate = ({candidate}) => {
            if (candidate && candidate.candidate !== '') {
                this.listener.onCandidate(candidate);
            }
        };
        this.peer.ontrack = (event) => this.tracks.arrived(event);
        this.peer.onconnectionstatechange = () => this.connectionChanged();
        this.peer.onnegotiationneeded = () => {
            // Only for what a change of ours does not cover, such as one undone by a server's offer.
            if (!this.changing && this.peer.localDescription) {
                this.change(() => undefined).catch((error: unknown) => {
                    console.warn('parley: renegotiation did not succeed', error);
                });
            }
        };
        this.channel.onopen = () => {
            this.opened();
            this.sendOnChannel(encodePing());
            this.pingTimer = setInterval(() => this.sendOnChannel(encodePing()), PING_EVERY_MS);
        };
        this.channel.onmessage = ({data}) => {
            if (data instanceof ArrayBuffer) {
                this.channelMessage(new Uint8Array(data));
            }
        };
    }

    private connectionChanged(): void {
        switch (this.peer.connectionState) {
        case 'connected':
            clearTimeout(this.connectTimer);
            this.report('connected');
            break;
        case 'disconnected':
            this.report('interrupted');
            break;
        case 'failed':
        case 'closed':
            this.report('failed');
            break;
        case 'new':
        case 'connecting':
            break;
        }
    }

    private report(state: LinkState): void {
        if (!this.closed) {
            this.listener.onState(state);
        }
    }

    private channelMessage(bytes: Uint8Array): void {
        const message = decodeChannelMessage(bytes);
        switch (message.type) {
        case 'sdp':
            this.receiveDescription(message.description);
            break;
        case 'lock':
            this.lock.replied(message.granted);
            break;
        case 'media-map':
            this.mapChanged(message.map);
            break;
        case 'unknown':
            console.debug('parley: ignored a data-channel message:', message.reason);
            break;
        case 'ping':
        case 'pong':
            break;
        }
    }

    private mapChanged(map: MediaMap): void {
        this.tracks.mapChanged(map);
    }

    /** Runs one local change under the lock and negotiates it. */
    private change(apply: () => void): Promise<void> {
        const run = this.changes.then(() => this.changeNow(apply));
        this.changes = run.catch(() => undefined);
        return run;
    }

    private async changeNow(apply: () => void): Promise<void> {
        // Before the data channel is open nobody could grant the lock.
        await this.whenOpen;
        if (this.options.useLock) {
            await this.lock.acquire();
        }
        this.changing = true;
        try {
            await this.incoming;
            apply();
            await this.negotiate();
        } finally {
            this.changing = false;
            this.lock.release();
        }
    }

    private async negotiate(): Promise<void> {
        for (let attempt = 0; attempt <= MAX_ROLLBACKS; attempt++) {
            await this.peer.setLocalDescription();
            const outcome = this.answerDue();
            this.sendDescription();
            if (await outcome === 'answered') {
                return;
            }
        }
        throw new Error('the server kept negotiating; the change could not be made');
    }

    private answerDue(): Promise<Outcome> {
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                this.awaitingAnswer = null;
                this.peer.setLocalDescription({type: 'rollback'}).catch(() => undefined);
                reject(new Error(`the server did not answer an offer within ${ANSWER_WITHIN_MS / 1000} s`));
            }, ANSWER_WITHIN_MS);
            this.awaitingAnswer = (outcome) => {
                clearTimeout(timer);
                this.awaitingAnswer = null;
                resolve(outcome);
            };
        });
    }

    private async apply(description: Description): Promise<void> {
        if (this.closed || (description.type === 'answer' && this.peer.signalingState !== 'have-local-offer')) {
            return;
        }
        const collided = description.type === 'offer' && this.peer.signalingState === 'have-local-offer';
        // An offer rolls an own one back: the client is the polite side.
        await this.peer.setRemoteDescription(description);
        await this.flushCandidates();
        if (description.type === 'answer') {
            this.awaitingAnswer?.('answered');
            return;
        }
        await this.peer.setLocalDescription();
        this.sendDescription();
        if (collided) {
            this.awaitingAnswer?.('rolled-back');
        }
    }

    private async flushCandidates(): Promise<void> {
        const candidates = this.candidates;
        this.candidates = [];
        for (const candidate of candidates) {
            await this.receiveCandidate(candidate);
        }
    }

    private sendDescription(): void {
        const local = this.peer.localDescription;
        if (!local || (local.type !== 'offer' && local.type !== 'answer')) {
            return;
        }
        const description: Description = {type: local.type, sdp: local.sdp};
        if (this.options.signalOverChannel && this.channel.readyState === 'open') {
            this.sendOnChannel(encodeSdp(description));
        } else {
            this.listener.onDescription(description);
        }
    }

    private sendOnChannel(bytes: Uint8Array): void {
        if (this.channel.readyState === 'open') {
            this.channel.send(bytes as Uint8Array<ArrayBuffer>);
        }
    }
}
