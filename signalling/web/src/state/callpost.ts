/** What the posts of a call say: the call post itself, its recordings and transcripts. */
import type {Post} from '@mattermost/types/posts';
import {say} from '../words/words';
import {isRecord} from '../peer/record';
import type {RecordingFault} from './calls';

export interface CallPost {
    title: string;
    startAt: number;
    /** 0 while the call runs. */
    endAt: number;
    participants: readonly string[];
    recordings: number;
    transcripts: number;
    /** Recordings and transcripts that were wished for and are not there. */
    pending: {recordings: number; transcripts: number};
}

/** What a call was for this person. */
export type Outcome = 'ended' | 'missed' | 'unanswered';

export interface CaptionsFile {
    title: string;
    language: string;
    fileId: string;
}

export function isCallPost(post: Post): boolean {
    return typeOf(post) === 'custom_calls';
}

export function isRecordingPost(post: Post): boolean {
    return typeOf(post) === 'custom_calls_recording';
}

export function isTranscriptPost(post: Post): boolean {
    return typeOf(post) === 'custom_calls_transcription';
}

/** What a post in the thread of a call says is missing, and why as the server was told; null for other posts. */
export function faultIn(post: Post): RecordingFault | null {
    const part = MISSING[typeOf(post)];
    const {reason, failure} = propsOf(post);
    return part ? {part, reason: typeof reason === 'string' ? reason : '', ...(typeof failure === 'string' ? {failure} : {})} : null;
}

const MISSING: Readonly<Record<string, RecordingFault['part']>> = {custom_calls_no_recording: 'recording', custom_calls_no_transcript: 'transcript'};

export function readCallPost(post: Post): CallPost {
    const props = propsOf(post);
    const participants = Array.isArray(props['participants']) ? props['participants'] as unknown[] : [];
    return {
        title: typeof props['title'] === 'string' ? props['title'] : '',
        startAt: numberOr(props['start_at'], post.create_at),
        endAt: numberOr(props['end_at'], 0),
        participants: participants.filter((id): id is string => typeof id === 'string'),
        recordings: countReady(props['recordings']),
        transcripts: countReady(props['transcriptions']),
        pending: {
            recordings: countOpen(props['recordings']),
            transcripts: countOpen(props['transcriptions']),
        },
    };
}

/** Only calls of direct and group messages are meant for somebody, so only they can be missed. */
export function outcomeOf(info: CallPost, starterId: string, myId: string, personal: boolean): Outcome {
    if (!personal || info.endAt === 0 || info.participants.length === 0) {
        return 'ended';
    }
    if (starterId === myId) {
        return info.participants.every((id) => id === myId) ? 'unanswered' : 'ended';
    }
    return info.participants.includes(myId) ? 'ended' : 'missed';
}

/** The posts that one recording of a call left: its film and its words, as far as they are there. */
export function recordingWithWords(root: Post | undefined, posts: readonly Post[], recording: Post): {transcript: Post | undefined} {
    const id = propsOf(recording)['recording_id'];
    const entries = root ? propsOf(root)['recordings'] : undefined;
    const entry = isRecord(entries) && typeof id === 'string' ? entries[id] : undefined;
    const wanted = isRecord(entry) ? entry['tr_id'] : undefined;
    const transcripts = posts.filter(isTranscriptPost);
    const named = transcripts.find((post) => propsOf(post)['transcription_id'] === wanted && isFilled(wanted));
    // Of a call recorded once there is no other it could be.
    return {transcript: named ?? (posts.filter(isRecordingPost).length === 1 && transcripts.length === 1 ? transcripts[0] : undefined)};
}

/** The film that a transcript belongs to. */
export function recordingOf(root: Post | undefined, posts: readonly Post[], transcript: Post): Post | undefined {
    return posts.filter(isRecordingPost).find((post) => recordingWithWords(root, posts, post).transcript?.id === transcript.id);
}

export function readCaptions(post: Post): CaptionsFile[] {
    const captions = propsOf(post)['captions'];
    return (Array.isArray(captions) ? captions as unknown[] : []).flatMap((entry) => {
        if (!isRecord(entry) || typeof entry['file_id'] !== 'string') {
            return [];
        }
        const language = typeof entry['language'] === 'string' ? entry['language'] : '';
        const title = typeof entry['title'] === 'string' && entry['title'] ? entry['title'] : language;
        return [{title, language, fileId: entry['file_id']}];
    });
}

/** The post's files; their names where the server gave them. */
export function filesOf(post: Post): {id: string; name: string; size: number; type: string}[] {
    const infos = post.metadata?.files ?? [];
    return (post.file_ids ?? []).map((id) => {
        const info = infos.find((file) => file.id === id);
        return {id, name: info?.name ?? say('chat_file'), size: info?.size ?? 0, type: info?.mime_type ?? ''};
    });
}

/** Jobs of which neither a result was published nor told that there is none. */
function countOpen(jobs: unknown): number {
    const failed = isRecord(jobs) ? Object.values(jobs).filter((job) => isRecord(job) && isFilled(job['failed_post_id'])).length : 0;
    return isRecord(jobs) ? Object.keys(jobs).length - countReady(jobs) - failed : 0;
}

/** Jobs that were published: both ids are there. */
function countReady(jobs: unknown): number {
    if (!isRecord(jobs)) {
        return 0;
    }
    return Object.values(jobs).filter((job) => isRecord(job) && isFilled(job['file_id']) && isFilled(job['post_id'])).length;
}

function isFilled(value: unknown): boolean {
    return typeof value === 'string' && value !== '';
}

function typeOf(post: Post): string {
    return post.type;
}

function propsOf(post: Post): Record<string, unknown> {
    return isRecord(post.props) ? post.props : {};
}

function numberOr(value: unknown, otherwise: number): number {
    return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}
