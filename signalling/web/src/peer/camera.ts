/**
 * The own camera in a call: opened, published, taken back, exchanged for another one.
 *
 * In: what the person wants. Out: the track towards the server, the own picture.
 * Invariants: changes happen one at a time; the camera is released whenever it is off, and by `close`.
 * See: the Calls contract, 7.7: the section that was negotiated once is used again, each time under the
 * id of another stream.
 */
import type {MediaConnection} from './connection';
import {CAMERA_ENCODING, captureCamera, stopStream} from './media';
import {CallError, problem, type Problem} from './problems';

export interface CameraListener {
    /** The own picture, or null when it is no longer shown. */
    onOwnCamera(stream: MediaStream | null): void;
    /** It went away by itself (`''`), or another one was taken than was wished: its name. */
    onCameraFellBack(label: string): void;
    onProblem(problem: Problem): void;
}

export interface CameraLine {
    /** Null before the media connection is made. */
    connection: () => MediaConnection | null;
    /** Which device; empty for the browser's choice. */
    wish: () => string;
    /** Tells the server; with the id of the stream when it is on. */
    send: (streamId: string | null) => void;
}

export class CameraShown {
    private stream: MediaStream | null = null;
    private sender: RTCRtpSender | null = null;
    private closed = false;
    private changes: Promise<void> = Promise.resolve();

    constructor(private readonly line: CameraLine, private readonly listener: CameraListener) {}

    get on(): boolean {
        return this.stream !== null;
    }

    setOn(on: boolean): Promise<void> {
        return this.next(() => (on ? this.begin() : this.end()));
    }

    /** Another device was chosen: taken at once when the camera is on. */
    exchange(): Promise<void> {
        return this.next(async () => {
            if (this.stream) {
                await this.end();
                await this.begin();
            }
        });
    }

    close(): void {
        this.closed = true;
        this.release();
    }

    private next(change: () => Promise<void>): Promise<void> {
        this.changes = this.changes.then(change);
        return this.changes;
    }

    private async begin(): Promise<void> {
        if (this.stream || this.closed) {
            return;
        }
        try {
            const {stream, fellBack} = await captureCamera(this.line.wish());
            const track = stream.getVideoTracks()[0];
            const connection = this.line.connection();
            if (!track || !connection || this.closed) {
                stopStream(stream);
                throw new CallError(problem('camera-missing'));
            }
            track.onended = () => void this.next(() => this.lost(stream));
            this.stream = stream;
            this.listener.onOwnCamera(stream);
            if (fellBack) {
                this.listener.onCameraFellBack(track.label);
            }
            // The server sorts the track by this id, so it must know it first.
            this.line.send(stream.id);
            if (this.sender) {
                await this.sender.replaceTrack(track);
            } else {
                this.sender = await connection.publish(track, stream, CAMERA_ENCODING);
            }
        } catch (error) {
            if (this.closed) {
                return;
            }
            console.warn('parley: the camera was not shown', error);
            await this.end();
            this.listener.onProblem(error instanceof CallError ? error.problem : problem('negotiation'));
        }
    }

    private async end(): Promise<void> {
        if (!this.stream) {
            return;
        }
        this.release();
        this.line.send(null);
        await this.sender?.replaceTrack(null).catch(() => undefined);
    }

    private async lost(stream: MediaStream): Promise<void> {
        if (!this.closed && this.stream === stream) {
            await this.end();
            this.listener.onCameraFellBack('');
        }
    }

    private release(): void {
        if (this.stream) {
            stopStream(this.stream);
            this.stream = null;
            this.listener.onOwnCamera(null);
        }
    }
}
