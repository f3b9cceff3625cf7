/**
 * The call this page takes part in: the own side of it, and what passes by on its stage.
 *
 * Not here: who else is in it (`calls`).
 */
import type {ConnectionState} from '../peer/client';
import {isRecord} from '../peer/record';
import type {Problem} from '../peer/problems';
import type {SoundQuality} from '../peer/quality';
import type {CaptionLine} from './captionlog';

export interface Caption {
    sessionId: string;
    userId: string;
    text: string;
    /** Epoch ms when it came. */
    at: number;
    /** What its texts have in common until it is said; empty when the server does not tell utterances apart. */
    utterance: string;
    /** No better text of the utterance will come. */
    final: boolean;
    /** So much of the text stays as it is; what follows may still be heard otherwise. */
    settled: number;
    /** In which it was heard; empty when the server does not say. */
    language: string;
    /** Not what was said, but why that cannot be shown. */
    notice: boolean;
    /** The text in the language in which this reader wants it. */
    translated?: Translated;
}

export interface Translated {
    language: string;
    text: string;
}

export interface Reaction {
    id: number;
    userId: string;
    emoji: string;
}

/** What happened to the person or the call, in words, until it is dismissed. */
export interface Note {
    id: number;
    kind: 'muted' | 'hand-lowered' | 'screen-stopped' | 'host-changed' | 'device';
    text: string;
}

export type Panel = 'people' | 'captions';
export type CallDialog = 'devices' | 'shortcuts';

export interface ActiveCall {
    channelId: string;
    sessionId: string;
    connection: ConnectionState | 'rejoining';
    muted: boolean;
    /** Unmuting takes a moment: the browser may ask, the server must agree. */
    unmuting: boolean;
    ownScreen: MediaStream | null;
    remoteScreen: MediaStream | null;
    ownCamera: MediaStream | null;
    cameraBusy: boolean;
    /** Cameras of others by their session; who shows none now may still be here. */
    cameras: Readonly<Record<string, MediaStream>>;
    sharingBusy: boolean;
    weak: boolean;
    problem: Problem | null;
    captions: readonly Caption[];
    showCaptions: boolean;
    /** The server said that nobody translates captions there. */
    noTranslator: boolean;
    reactions: readonly Reaction[];
    /** Start time of the recording whose notice was acknowledged. */
    noticeSeen: number;
    /** The same as its host: whoever becomes host reads what that means. */
    hostNoticeSeen: number;
    /** Time of the wish of the recording this page saw begin or run; 0 for none. */
    sawRecording: number;
    /** Start time of the recording whose coming end was acknowledged. */
    limitSeen: number;
    /** Outcome of a recording, by the same time, that was dismissed. */
    outcomeSeen: number;
    /** The browser wants a click before it plays sound. */
    soundBlocked: boolean;
    /** The stage fills the channel instead of leaving room for messages. */
    wide: boolean;
    /** It does so because of a shared screen, and goes back with it. */
    wideForScreen: boolean;
    notes: readonly Note[];
    /** Session to epoch ms of its last voice, as heard here. */
    spoke: Readonly<Record<string, number>>;
    /** How the sound of each session arrives here; who is silent is missing. */
    quality: Readonly<Record<string, SoundQuality>>;
    /** The microphone hears the person, and nobody else does. */
    talkingMuted: boolean;
    captionLog: readonly CaptionLine[];
    panel: Panel | null;
    dialog: CallDialog | null;
}

export function newActiveCall(channelId: string): ActiveCall {
    return {
        channelId, sessionId: '', connection: 'joining', muted: true, unmuting: false, ownScreen: null, remoteScreen: null, ownCamera: null, cameraBusy: false, cameras: {}, sharingBusy: false,
        weak: false, problem: null, captions: [], showCaptions: true, noTranslator: false, reactions: [], noticeSeen: 0, hostNoticeSeen: 0, sawRecording: 0, limitSeen: 0, outcomeSeen: 0, soundBlocked: false, wide: false, wideForScreen: false,
        notes: [], spoke: {}, quality: {}, talkingMuted: false, captionLog: [], panel: null, dialog: null,
    };
}

/** A screen came or went: it gets the room it needs, for as long as it is there. */
export function withScreen(active: ActiveCall, remoteScreen: MediaStream | null): ActiveCall {
    if (remoteScreen) {
        return {...active, remoteScreen, wide: true, wideForScreen: active.wideForScreen || !active.wide};
    }
    return {...active, remoteScreen, wide: active.wide && !active.wideForScreen, wideForScreen: false};
}

export function withCamera(active: ActiveCall, sessionId: string, stream: MediaStream | null): ActiveCall {
    const cameras = {...active.cameras};
    if (stream) {
        cameras[sessionId] = stream;
    } else {
        delete cameras[sessionId];
    }
    return {...active, cameras};
}

/** A caption as the server tells it; null when it holds no words. Older servers tell who and what, and no more. */
export function readCaption(data: Readonly<Record<string, unknown>>, at: number): Caption | null {
    const told = data['text'];
    const text = typeof told === 'string' ? told.trim() : '';
    if (typeof told !== 'string' || text === '') {
        return null;
    }
    const id = (key: string): string => (typeof data[key] === 'string' ? data[key] : '');
    const final = data['final'] === true;
    const settled = typeof data['settled_len'] === 'number' ? data['settled_len'] - (told.length - told.trimStart().length) : text.length;
    return {
        sessionId: id('session_id'), userId: id('user_id'), text, at, utterance: id('utterance_id'), final,
        settled: final ? text.length : Math.max(0, Math.min(text.length, settled)), language: id('language'), notice: data['notice'] === true,
    };
}

/** A draft that comes after the final text of its utterance. */
export function isLate(before: Pick<Caption, 'utterance' | 'final'>, caption: Caption): boolean {
    return caption.utterance !== '' && caption.utterance === before.utterance && before.final && !caption.final;
}

/** A speaker's words replace that speaker's words before; the rest stays in order of speaking. */
export function withCaption(active: ActiveCall, caption: Caption): ActiveCall {
    const before = active.captions.find(({sessionId}) => sessionId === caption.sessionId);
    if (before && isLate(before, caption)) {
        return active;
    }
    const captions = before
        ? active.captions.map((old) => (old.sessionId === caption.sessionId ? caption : old))
        : [...active.captions, caption];
    return {...active, captions};
}

const MAX_NOTES = 4;

/** A note of the same kind replaces the one before. */
export function withNote(active: ActiveCall, note: Note): ActiveCall {
    return {...active, notes: [...active.notes.filter(({kind}) => kind !== note.kind), note].slice(-MAX_NOTES)};
}

export function withoutNote(active: ActiveCall, id: number): ActiveCall {
    return {...active, notes: active.notes.filter((note) => note.id !== id)};
}

/** Removes captions older than `maxAgeMs`. */
export function withoutOldCaptions(active: ActiveCall, now: number, maxAgeMs: number): ActiveCall {
    const captions = active.captions.filter(({at}) => now - at < maxAgeMs);
    return captions.length === active.captions.length ? active : {...active, captions};
}

/** The emoji of a reaction; empty when the event carries none that can be shown. */
export function emojiOf(value: unknown): string {
    if (!isRecord(value)) {
        return '';
    }
    const literal = value['literal'];
    if (typeof literal === 'string' && literal !== '') {
        return literal.slice(0, 16);
    }
    const unified = value['unified'];
    if (typeof unified !== 'string' || !/^[0-9a-fA-F]{2,6}(-[0-9a-fA-F]{2,6})*$/.test(unified)) {
        return '';
    }
    const points = unified.split('-').map((point) => parseInt(point, 16));
    return points.every((point) => point <= 0x10ffff) ? String.fromCodePoint(...points) : '';
}
