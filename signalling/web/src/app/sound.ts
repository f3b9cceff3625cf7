/**
 * Plays what comes from others: every voice in an audio element of its own, screen and cameras as streams.
 *
 * Invariant: an element lives exactly as long as its track carries something.
 */
import type {RemoteTrack} from '../peer/tracks';

export interface MediaListener {
    onScreen(stream: MediaStream | null): void;
    /** Somebody's camera, or that it is gone. */
    onCamera(sessionId: string, stream: MediaStream | null): void;
    /** The browser refuses to play without a click of the person. */
    onBlocked(blocked: boolean): void;
}

interface Sound {
    element: HTMLAudioElement;
    senderId: string;
    ofScreen: boolean;
}

export class RemoteMedia {
    private sounds: Sound[] = [];
    private screenTrack: MediaStreamTrack | null = null;
    private screenSender = '';
    private readonly cameras = new Map<string, MediaStreamTrack>();

    private volumeOf: (sessionId: string) => number = () => 1;
    private speakerId = '';

    constructor(private readonly listener: MediaListener) {}

    /** How loud each person is, 0 to 1, from now on. */
    setVolumes(volumeOf: (sessionId: string) => number): void {
        this.volumeOf = volumeOf;
        this.sounds.forEach((sound) => this.adjust(sound));
    }

    /** Plays on this speaker from now on; empty for the browser's own choice. Resolves to whether it is there. */
    async setSpeaker(speakerId: string): Promise<boolean> {
        this.speakerId = speakerId;
        const taken = await Promise.all(this.sounds.map(({element}) => playOn(element, speakerId)));
        return taken.every((ok) => ok);
    }

    add(remote: RemoteTrack): void {
        switch (remote.kind) {
        case 'voice':
        case 'screen-audio':
            this.play(remote);
            break;
        case 'screen':
            this.screenTrack = remote.track;
            this.screenSender = remote.senderId;
            this.listener.onScreen(new MediaStream([remote.track]));
            remote.onEnded(() => {
                if (this.screenTrack === remote.track) {
                    this.dropScreen();
                }
            });
            break;
        case 'video':
            this.cameras.set(remote.senderId, remote.track);
            this.listener.onCamera(remote.senderId, new MediaStream([remote.track]));
            remote.onEnded(() => {
                if (this.cameras.get(remote.senderId) === remote.track) {
                    this.dropCamera(remote.senderId);
                }
            });
            break;
        }
    }

    dropScreen(): void {
        this.remove(this.sounds.filter(({ofScreen}) => ofScreen));
        if (this.screenTrack) {
            this.screenTrack = null;
            this.screenSender = '';
            this.listener.onScreen(null);
        }
    }

    dropSender(senderId: string): void {
        this.dropCamera(senderId);
        this.remove(this.sounds.filter((sound) => sound.senderId === senderId));
        if (senderId !== '' && senderId === this.screenSender) {
            this.dropScreen();
        }
    }

    clear(): void {
        this.remove(this.sounds);
        [...this.cameras.keys()].forEach((senderId) => this.dropCamera(senderId));
        this.dropScreen();
        this.listener.onBlocked(false);
    }

    /** Plays these in the place of everything. Until what this returns is called, what was is heard on. */
    exchange(tracks: readonly RemoteTrack[]): () => void {
        const before = this.sounds.splice(0);
        this.clear();
        tracks.forEach((track) => this.add(track));
        return () => this.remove(before);
    }

    resume(): void {
        this.sounds.forEach(({element}) => this.start(element));
    }

    private dropCamera(senderId: string): void {
        if (this.cameras.delete(senderId)) {
            this.listener.onCamera(senderId, null);
        }
    }

    private play(remote: RemoteTrack): void {
        const element = document.createElement('audio');
        element.autoplay = true;
        element.srcObject = new MediaStream([remote.track]);
        element.dataset['testid'] = 'remote-audio';
        element.dataset['session'] = remote.senderId;
        // In the document, so that the browser neither pauses nor collects it.
        element.hidden = true;
        document.body.append(element);
        const sound: Sound = {element, senderId: remote.senderId, ofScreen: remote.kind === 'screen-audio'};
        this.sounds.push(sound);
        this.adjust(sound);
        if (this.speakerId !== '') {
            void playOn(element, this.speakerId);
        }
        remote.onEnded(() => this.remove([sound]));
        this.start(element);
    }

    private adjust({element, senderId, ofScreen}: Sound): void {
        element.volume = ofScreen ? 1 : this.volumeOf(senderId);
    }

    private start(element: HTMLAudioElement): void {
        element.play().then(() => this.listener.onBlocked(false)).catch((error: unknown) => {
            if (error instanceof DOMException && error.name === 'NotAllowedError') {
                this.listener.onBlocked(true);
            }
        });
    }

    private remove(gone: Sound[]): void {
        this.sounds = this.sounds.filter((sound) => !gone.includes(sound));
        gone.forEach(({element}) => {
            element.srcObject = null;
            element.remove();
        });
    }
}

/** Resolves to false when the browser cannot, or the speaker is gone: the sound stays where it was. */
export async function playOn(element: HTMLAudioElement, speakerId: string): Promise<boolean> {
    if (!canChooseSpeaker()) {
        return speakerId === '';
    }
    try {
        await element.setSinkId(speakerId);
        return true;
    } catch {
        if (speakerId !== '') {
            await element.setSinkId('').catch(() => undefined);
        }
        return false;
    }
}

/** Not in Safari and older Firefox. */
export function canChooseSpeaker(): boolean {
    return 'setSinkId' in HTMLMediaElement.prototype;
}
