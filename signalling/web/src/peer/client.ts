/**
 * One person's session in one call: the Calls protocol as a browser speaks it.
 *
 * In: what the person wants (unmute, raise a hand, share, leave). Out: events for the screen.
 * Not here: who is in the call (`state/calls`), what is drawn (`ui`).
 * Invariant: after `onClosed` nothing more is reported and everything captured is released.
 */
import {CameraShown, type CameraListener} from './camera';
import {packDescription, parseDescription, type Description} from './codec';
import {MediaConnection, type ConnectionOptions, type LinkState} from './connection';
import {captureScreen, screenEncodings, stopStream, type MicrophoneWish, type ScreenHint, type ScreenWish} from './media';
import {CallError, joinRefused, problem, type Problem} from './problems';
import {QualityMeter, ReceiverMeter, WEAK_SCORE, opinionScore, type SoundQuality} from './quality';
import {isRecord} from './record';
import {CallsSocket, type ServerEvent} from './socket';
import type {RemoteTrack} from './tracks';
import {Voice, type VoiceListener} from './voice';

const MEASURE_EVERY_MS = 4000;
/** People of a media host that is going to stop leave it one after the other within this time. */
const MOVES_WITHIN_MS = 3000;
/** Of the kinds of statistics those that tell how a call is heard and seen, and by which way. */
const TOLD_STATISTICS: readonly string[] = ['inbound-rtp', 'outbound-rtp', 'remote-inbound-rtp', 'remote-outbound-rtp', 'candidate-pair', 'transport'];

export interface CallOptions extends ConnectionOptions {
    socketUrl: string;
    channelId: string;
    /** Of a call that begins with this; may be empty. */
    title: string;
    threadId: string;
    simulcast: boolean;
    /** Asked whenever the microphone is opened. */
    microphone: () => MicrophoneWish;
    /** Likewise of the camera: which device, empty for the browser's choice. */
    camera: () => string;
}

export type ConnectionState = 'joining' | 'connected' | 'reconnecting' | 'media-interrupted' | 'closed';

export interface CallListener extends VoiceListener, CameraListener {
    onState(state: ConnectionState): void;
    onEvent(event: ServerEvent): void;
    onTrack(track: RemoteTrack): void;
    /** The own screen, or null when it is no longer shared. */
    onOwnScreen(stream: MediaStream | null): void;
    /** How the sound of each session arrives; silent ones are missing. */
    onQuality(bySession: ReadonlyMap<string, SoundQuality>): void;
    onWeak(weak: boolean): void;
    /** The media host is going to stop: another session is to be made, or this one given up. */
    onMoves(client: CallsClient): void;
    /** `null`: the person left. */
    onClosed(reason: Problem | null): void;
}

export class CallsClient {
    private readonly socket: CallsSocket;
    private media: MediaConnection | null = null;
    private readonly voice: Voice;
    private readonly camera: CameraShown;
    private screen: MediaStream | null = null;
    private screenSenders: RTCRtpSender[] = [];
    private link: LinkState = 'connecting';
    private socketUp = true;
    private everConnected = false;
    private closed = false;
    private moves = false;
    private measureTimer: ReturnType<typeof setInterval> | null = null;
    private readonly meter = new QualityMeter();
    private readonly receivers = new Map<MediaStreamTrack, {sessionId: string; meter: ReceiverMeter}>();

    constructor(private readonly options: CallOptions, private readonly listener: CallListener) {
        this.socket = new CallsSocket(options.socketUrl, options.channelId, {
            onReady: () => this.join(),
            onEvent: (event) => this.received(event),
            onInterrupted: () => {
                this.socketUp = false;
                this.reportState();
            },
            onRestored: () => {
                this.socketUp = true;
                this.reportState();
            },
            onGone: () => this.shut(problem('unreachable')),
        });
        this.voice = new Voice({
            connection: () => this.media,
            wish: options.microphone,
            send: (action) => this.socket.send(action),
        }, listener);
        this.camera = new CameraShown({
            connection: () => this.media,
            wish: options.camera,
            send: (streamId) => (streamId === null ? this.socket.send('video_off') : this.socket.send('video_on', {data: JSON.stringify({videoStreamID: streamId})})),
        }, listener);
    }

    /** Media flows (or did, and is being restored). Read by programs that drive a page. */
    get connected(): boolean {
        return !this.closed && this.link === 'connected';
    }

    get sessionId(): string {
        return this.socket.sessionId;
    }

    get muted(): boolean {
        return this.voice.muted;
    }

    /** A picture of this person is there to be seen. */
    get shows(): boolean {
        return this.screen !== null || this.camera.on;
    }

    start(): void {
        if (typeof RTCPeerConnection === 'undefined') {
            this.shut(problem('no-webrtc'));
            return;
        }
        this.socket.open();
    }

    leave(): void {
        this.shut(null);
    }

    /** Joins anew: its media host is of no use any more. */
    giveUp(): void {
        this.shut(problem('media-lost'));
    }

    /** The session is no longer the server's: ends here without a word to it. */
    abandon(reason: Problem): void {
        this.shut(reason, false);
    }

    /** The page goes away. */
    unload(): void {
        this.closed = true;
        this.socket.close(true);
    }

    setMuted(muted: boolean): Promise<void> {
        return this.voice.setMuted(muted);
    }

    /** Hears the person while muted, and sends nothing of it; see `Voice.listen`. */
    listen(): Promise<void> {
        return this.voice.listen();
    }

    /** The wish for a microphone is another one. */
    changeMicrophone(): Promise<void> {
        return this.voice.exchange();
    }

    setCamera(on: boolean): Promise<void> {
        return this.camera.setOn(on);
    }

    /** Another camera was chosen. */
    changeCamera(): Promise<void> {
        return this.camera.exchange();
    }

    raiseHand(raised: boolean): void {
        this.socket.send(raised ? 'raise_hand' : 'unraise_hand');
    }

    react(emoji: {name: string; unified: string; literal: string}): void {
        this.socket.send('react', {data: JSON.stringify(emoji)});
    }

    async shareScreen(wish: ScreenWish = {sound: true, hint: 'detail'}): Promise<void> {
        const media = this.media;
        if (!media || this.screen) {
            return;
        }
        const stream = await captureScreen(wish.sound);
        const video = stream.getVideoTracks()[0];
        if (!video || this.closed) {
            stopStream(stream);
            return;
        }
        this.screen = stream;
        video.contentHint = wish.hint;
        video.onended = () => void this.stopScreen();
        this.listener.onOwnScreen(stream);
        // The server sorts the track by this id, so it must know it first.
        this.socket.send('screen_on', {data: JSON.stringify({screenStreamID: stream.id})});
        try {
            this.screenSenders.push(await media.publish(video, stream, screenEncodings(this.options.simulcast)));
            const audio = stream.getAudioTracks()[0];
            if (audio && this.screen === stream) {
                this.screenSenders.push(await media.publish(audio, stream));
            }
        } catch (error) {
            console.warn('parley: the screen was not published', error);
            await this.stopScreen();
            throw new CallError(problem('negotiation'));
        }
    }

    /** Also while it is shared. */
    setScreenHint(hint: ScreenHint): void {
        this.screen?.getVideoTracks().forEach((track) => {
            track.contentHint = hint;
        });
    }

    async stopScreen(): Promise<void> {
        const stream = this.screen;
        if (!stream) {
            return;
        }
        this.screen = null;
        stopStream(stream);
        this.listener.onOwnScreen(null);
        const senders = this.screenSenders;
        this.screenSenders = [];
        this.socket.send('screen_off');
        if (senders.length > 0) {
            await this.media?.unpublish(senders).catch((error: unknown) => {
                console.warn('parley: the shared screen was not taken back', error);
            });
        }
    }

    private join(): void {
        this.socket.send('join', {
            channelID: this.options.channelId,
            title: this.options.title,
            threadID: this.options.threadId,
            av1Support: false,
            dcSignaling: this.options.signalOverChannel,
        });
    }

    private received(event: ServerEvent): void {
        const {name, data} = event;
        switch (name) {
        case 'join':
            if (this.socket.isOwnConnection(data['connID'])) {
                this.connectMedia();
            }
            return;
        case 'error':
            if (this.socket.isOwnConnection(data['connID'])) {
                this.shut(joinRefused(String(data['data'] ?? '')));
            }
            return;
        case 'signal':
            if (this.socket.isOwnConnection(data['connID'])) {
                this.signal(data['data']);
            }
            return;
        case 'media_moves':
            if (data['session_id'] === this.sessionId && !this.moves) {
                this.moves = true;
                // Not everybody at the same moment.
                setTimeout(() => this.move(), Math.random() * MOVES_WITHIN_MS);
            }
            return;
        default:
            if (event.channelId === this.options.channelId) {
                this.obey(name, data);
                this.listener.onEvent(event);
            }
        }
    }

    /** Requests of the host that the own client carries out. */
    private obey(name: string, data: Record<string, unknown>): void {
        const meant = data['session_id'] === this.sessionId;
        if (name === 'host_mute' && meant) {
            void this.setMuted(true);
        } else if (name === 'host_screen_off' && meant) {
            void this.stopScreen();
        } else if (name === 'host_lower_hand' && meant) {
            this.raiseHand(false);
        } else if (name === 'host_removed' && meant) {
            this.shut(problem('removed'));
        } else if (name === 'call_end') {
            this.shut(problem('call-ended'));
        }
    }

    private move(): void {
        if (!this.closed) {
            this.listener.onMoves(this);
        }
    }

    /** Until it is asked again. */
    stay(): void {
        this.moves = false;
    }

    private connectMedia(): void {
        if (this.media || this.closed) {
            return;
        }
        const media = new MediaConnection(this.options, {
            onDescription: (description) => this.sendDescription(description),
            onCandidate: (candidate) => this.socket.send('ice', {data: JSON.stringify(candidate)}),
            onState: (state) => this.linkChanged(state),
            onTrack: (track) => this.tracked(track),
        });
        this.media = media;
        media.start().catch((error: unknown) => {
            console.warn('parley: the first offer could not be made', error);
            this.shut(problem('media-unreachable'));
        });
    }

    private sendDescription(description: Description): void {
        this.socket.sendBytes('sdp', packDescription(description));
    }

    private signal(text: unknown): void {
        let message: unknown;
        try {
            message = JSON.parse(String(text));
        } catch {
            return;
        }
        if (!isRecord(message)) {
            return;
        }
        if (message['type'] === 'candidate' && isRecord(message['candidate'])) {
            void this.media?.receiveCandidate(message['candidate']);
            return;
        }
        const description = parseDescription(message);
        if (description) {
            this.media?.receiveDescription(description);
        }
    }

    private linkChanged(state: LinkState): void {
        this.link = state;
        if (state === 'failed') {
            this.shut(problem(this.everConnected ? 'media-lost' : 'media-unreachable'));
            return;
        }
        if (state === 'connected' && !this.everConnected) {
            this.everConnected = true;
            this.measureTimer = setInterval(() => void this.measure(), MEASURE_EVERY_MS);
        }
        this.reportState();
    }

    private reportState(): void {
        if (this.closed) {
            return;
        }
        if (!this.socketUp) {
            this.listener.onState('reconnecting');
        } else if (this.link === 'interrupted') {
            this.listener.onState('media-interrupted');
        } else {
            this.listener.onState(this.link === 'connected' ? 'connected' : 'joining');
        }
    }

    private tracked(remote: RemoteTrack): void {
        if (remote.kind === 'voice' && remote.senderId !== '') {
            this.receivers.set(remote.track, {sessionId: remote.senderId, meter: new ReceiverMeter()});
            remote.onEnded(() => this.receivers.delete(remote.track));
        }
        this.listener.onTrack(remote);
    }

    /** The browser's statistics of the connection that say something about sound and picture, by their ids. */
    async statistics(): Promise<Record<string, unknown>> {
        const found: Record<string, unknown> = {};
        (await this.media?.stats())?.forEach((value: unknown, id: string) => {
            if (isRecord(value) && TOLD_STATISTICS.includes(String(value['type']))) {
                found[id] = value;
            }
        });
        return found;
    }

    private async measure(): Promise<void> {
        const media = this.media;
        if (!media || this.closed) {
            return;
        }
        const report = await media.stats();
        const entries: [string, unknown][] = [];
        report.forEach((value: unknown, key: string) => entries.push([key, value]));
        const quality = this.meter.measure(entries);
        this.listener.onQuality(await this.measureReceivers(media));
        if (quality && !this.closed) {
            media.sendQuality(quality);
            this.listener.onWeak(opinionScore(quality) < WEAK_SCORE);
        }
    }

    private async measureReceivers(media: MediaConnection): Promise<ReadonlyMap<string, SoundQuality>> {
        const found = new Map<string, SoundQuality>();
        for (const [track, {sessionId, meter}] of this.receivers) {
            const report = await media.stats(track).catch(() => null);
            const entries: [string, unknown][] = [];
            report?.forEach((value: unknown, key: string) => entries.push([key, value]));
            const quality = meter.measure(entries);
            if (quality) {
                found.set(sessionId, quality);
            }
        }
        return found;
    }

    private shut(reason: Problem | null, leave = true): void {
        if (this.closed) {
            return;
        }
        this.closed = true;
        if (this.measureTimer) {
            clearInterval(this.measureTimer);
        }
        this.voice.close();
        this.camera.close();
        stopStream(this.screen);
        this.screen = null;
        this.media?.close();
        this.socket.close(leave);
        this.listener.onState('closed');
        this.listener.onClosed(reason);
    }
}
