/**
 * Plays what comes from others: every voice in an audio element of its own, the screen as a stream.
 *
 * Invariant: an element lives exactly as long as its track carries something.
 */
import type {RemoteTrack} from '../peer/tracks';

export interface MediaListener {
    onScreen(stream: MediaStream | null): void;
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

    constructor(private readonly listener: MediaListener) {}

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
            break; // cameras are not part of this client
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
        this.remove(this.sounds.filter((sound) => sound.senderId === senderId));
        if (senderId !== '' && senderId === this.screenSender) {
            this.dropScreen();
        }
    }

    clear(): void {
        this.remove(this.sounds);
        this.dropScreen();
        this.listener.onBlocked(false);
    }

    resume(): void {
        this.sounds.forEach(({element}) => this.start(element));
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
        remote.onEnded(() => this.remove([sound]));
        this.start(element);
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
