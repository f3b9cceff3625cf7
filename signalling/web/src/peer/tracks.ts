/**
 * What arrives from the media server, sorted by what it is: voices, screen, screen audio.
 *
 * In: track events of the peer connection and the server's media map. Out: each track once, with
 * its kind and sender.
 * Invariant: a video is shown only after the media map said what it is, in whichever order the two
 * come; audio without an entry is a voice.
 */
import type {MediaEntry, MediaMap, TrackKind} from './codec';

export interface RemoteTrack {
    kind: TrackKind;
    /** Session of the sender; empty when the server did not say. */
    senderId: string;
    track: MediaStreamTrack;
    /** Called when the track no longer carries anything. */
    onEnded: (listener: () => void) => void;
}

interface Held {
    mid: string;
    track: MediaStreamTrack;
    stream: MediaStream | null;
}

export class RemoteTracks {
    private map: MediaMap = new Map();
    private held: Held[] = [];

    constructor(private readonly deliver: (track: RemoteTrack) => void) {}

    arrived(event: RTCTrackEvent): void {
        const item: Held = {
            mid: event.transceiver.mid ?? '',
            track: event.track,
            stream: event.streams[0] ?? null,
        };
        const entry = this.map.get(item.mid);
        const kind = kindOf(item.track.kind, entry);
        if (kind) {
            this.pass(item, kind, entry);
        } else {
            this.held.push(item);
        }
    }

    mapChanged(map: MediaMap): void {
        this.map = map;
        const held = this.held;
        this.held = [];
        for (const item of held) {
            const entry = map.get(item.mid);
            const kind = kindOf(item.track.kind, entry);
            if (kind) {
                this.pass(item, kind, entry);
            } else if (item.track.readyState === 'live') {
                this.held.push(item);
            }
        }
    }

    clear(): void {
        this.held = [];
    }

    private pass(item: Held, kind: TrackKind, entry: MediaEntry | undefined): void {
        const {track, stream} = item;
        this.deliver({
            kind,
            // The stream is named after its sender; the map's sender is not reliable on every server.
            senderId: stream?.id ?? entry?.senderId ?? '',
            track,
            onEnded: (listener) => {
                let ended = false;
                const once = (): void => {
                    if (!ended) {
                        ended = true;
                        listener();
                    }
                };
                track.addEventListener('ended', once);
                stream?.addEventListener('removetrack', (event) => {
                    if (event.track === track) {
                        once();
                    }
                });
            },
        });
    }
}

/** Null while unknown. */
export function kindOf(media: string, entry: MediaEntry | undefined): TrackKind | null {
    if (media === 'audio') {
        return entry?.type === 'screen-audio' ? 'screen-audio' : 'voice';
    }
    return entry?.type === 'screen' || entry?.type === 'video' ? entry.type : null;
}
