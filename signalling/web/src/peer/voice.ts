/**
 * The own voice in a call: the microphone opened, published, muted, exchanged for another one.
 *
 * In: what the person wants. Out: the track towards the server, and words about devices.
 * Invariants: changes happen one at a time and the last wish counts; the microphone is opened by `setMuted(false)`
 * or `listen` and not before; what it hears is sent while the person is unmuted only; after `close` it is released.
 */
import type {MediaConnection} from './connection';
import {captureMicrophone, stopStream, type MicrophoneWish} from './media';
import {CallError, problem, type Problem} from './problems';

export interface VoiceListener {
    onMuted(muted: boolean): void;
    /** What the microphone hears, muted or not; null when it is closed. */
    onMicrophone(stream: MediaStream | null): void;
    /** The device went away or was not there. `label`: the one that took its place; empty when the person was muted and none is open. */
    onFellBack(label: string): void;
    onProblem(problem: Problem): void;
}

export interface VoiceLine {
    /** Null before the media connection is made. */
    connection: () => MediaConnection | null;
    wish: () => MicrophoneWish;
    /** Tells the server. */
    send: (action: 'mute' | 'unmute') => void;
}

export class Voice {
    private microphone: MediaStream | null = null;
    private sender: RTCRtpSender | null = null;
    private wanted = false;
    private closed = false;
    /** A lost one is being replaced: that is told once, whatever was wished. */
    private replacing = false;
    private changes: Promise<void> = Promise.resolve();

    constructor(private readonly line: VoiceLine, private readonly listener: VoiceListener) {}

    get muted(): boolean {
        return !this.wanted;
    }

    setMuted(muted: boolean): Promise<void> {
        this.wanted = !muted;
        return this.next(() => (this.wanted ? this.unmute() : this.mute()));
    }

    /** Opens the microphone of somebody who is muted, to hear them here alone; nothing happens where it cannot be opened. */
    listen(): Promise<void> {
        return this.next(async () => {
            if (this.wanted || this.closed || this.microphone) {
                return;
            }
            try {
                const {track} = await this.open();
                track.enabled = this.wanted;
            } catch (error) {
                console.info('parley: the microphone is not listened to while muted', error);
            }
        });
    }

    /** The wish is another one: taken at once if the person is heard, else with the next word. */
    exchange(): Promise<void> {
        return this.next(async () => {
            const before = this.microphone;
            if (!before) {
                return;
            }
            this.microphone = null;
            if (this.wanted) {
                await this.unmute();
            }
            stopStream(before);
            this.reportClosed();
        });
    }

    close(): void {
        this.closed = true;
        if (this.microphone) {
            stopStream(this.microphone);
            this.microphone = null;
            this.listener.onMicrophone(null);
        }
    }

    private next(change: () => Promise<void>): Promise<void> {
        this.changes = this.changes.then(change);
        return this.changes;
    }

    private async unmute(): Promise<void> {
        try {
            const {stream, track} = await this.open();
            const connection = this.line.connection();
            if (!connection) {
                throw new CallError(problem('microphone-missing'));
            }
            track.enabled = true;
            if (this.sender) {
                await this.sender.replaceTrack(track);
            } else {
                this.sender = await connection.publish(track, stream);
            }
            if (this.wanted) {
                this.line.send('unmute');
                this.listener.onMuted(false);
            }
        } catch (error) {
            this.wanted = false;
            if (this.closed) {
                this.close();
                return;
            }
            console.warn('parley: unmuting did not succeed', error);
            this.line.send('mute');
            this.listener.onMuted(true);
            this.listener.onProblem(error instanceof CallError ? error.problem : problem('negotiation'));
        }
    }

    private async mute(): Promise<void> {
        this.microphone?.getAudioTracks().forEach((track) => {
            track.enabled = false;
        });
        this.line.send('mute');
        this.listener.onMuted(true);
        await this.sender?.replaceTrack(null).catch(() => undefined);
    }

    private async open(): Promise<{stream: MediaStream; track: MediaStreamTrack}> {
        const known = this.microphone?.getAudioTracks()[0];
        if (this.microphone && known) {
            return {stream: this.microphone, track: known};
        }
        const {stream, fellBack} = await captureMicrophone(this.line.wish());
        const track = stream.getAudioTracks()[0];
        if (!track || this.closed) {
            stopStream(stream);
            throw new CallError(problem('microphone-missing'));
        }
        track.onended = () => void this.next(() => this.lost(stream));
        this.microphone = stream;
        this.listener.onMicrophone(stream);
        if (fellBack && !this.replacing) {
            this.listener.onFellBack(track.label);
        }
        return {stream, track};
    }

    /** Unplugged, or permission taken away, in the middle of a call: another device takes its place. */
    private async lost(stream: MediaStream): Promise<void> {
        if (this.closed || this.microphone !== stream) {
            return;
        }
        this.microphone = null;
        if (!this.wanted) {
            this.listener.onMicrophone(null);
            this.listener.onFellBack('');
            return;
        }
        this.replacing = true;
        await this.unmute().finally(() => {
            this.replacing = false;
        });
        this.reportClosed();
        const label = this.openLabel();
        // Without another one the person is muted, and was told so.
        if (label !== '') {
            this.listener.onFellBack(label);
        }
    }

    private openLabel(): string {
        return this.microphone?.getAudioTracks()[0]?.label ?? '';
    }

    private reportClosed(): void {
        if (!this.microphone) {
            this.listener.onMicrophone(null);
        }
    }
}
