/** What a person is told when something goes wrong around a call: what happened, and what to do. */
import type {Problem, ProblemCode} from '../peer/problems';
import {say, type Key} from '../words/words';
import type {RecordingFault} from './calls';
import {failureWords, reasonWords, saysCutOff, saysSilence} from './reasons';

const WORDS: Readonly<Record<ProblemCode, readonly [happened: Key, advice: Key]>> = {
    'microphone-denied': ['trouble_microphone_denied', 'trouble_microphone_denied_do'],
    'microphone-missing': ['trouble_microphone_missing', 'trouble_microphone_missing_do'],
    'microphone-busy': ['trouble_microphone_busy', 'trouble_microphone_busy_do'],
    'camera-denied': ['trouble_camera_denied', 'trouble_camera_denied_do'],
    'camera-missing': ['trouble_camera_missing', 'trouble_camera_missing_do'],
    'camera-busy': ['trouble_camera_busy', 'trouble_camera_busy_do'],
    'insecure-page': ['trouble_insecure_page', 'trouble_insecure_page_do'],
    'screen-denied': ['trouble_screen_denied', 'trouble_screen_denied_do'],
    'screen-unavailable': ['trouble_screen_unavailable', 'trouble_screen_unavailable_do'],
    'screen-taken': ['trouble_screen_taken', 'trouble_screen_taken_do'],
    'join-refused': ['trouble_join_refused', 'trouble_join_refused_do'],
    'join-forbidden': ['trouble_join_forbidden', 'trouble_join_forbidden_do'],
    'channel-archived': ['trouble_channel_archived', 'trouble_channel_archived_do'],
    'calls-off': ['trouble_calls_off', 'trouble_calls_off_do'],
    'calls-unavailable': ['trouble_calls_unavailable', 'trouble_calls_unavailable_do'],
    'start-forbidden': ['trouble_start_forbidden', 'trouble_start_forbidden_do'],
    'group-calls-off': ['trouble_group_calls_off', 'trouble_calls_unavailable_do'],
    'call-over': ['trouble_call_over', 'trouble_call_over_do'],
    'call-full': ['trouble_call_full', 'trouble_call_full_do'],
    'no-media-server': ['trouble_no_media_server', 'trouble_no_media_server_do'],
    'unreachable': ['trouble_unreachable', 'trouble_unreachable_do'],
    'media-unreachable': ['trouble_media_unreachable', 'trouble_media_unreachable_do'],
    'media-lost': ['trouble_media_lost', 'trouble_unreachable_do'],
    'negotiation': ['trouble_negotiation', 'trouble_negotiation_do'],
    'removed': ['trouble_removed', 'trouble_removed_do'],
    'call-ended': ['trouble_call_ended', 'trouble_call_ended_do'],
    'moved': ['trouble_moved', 'trouble_moved_do'],
    'request-refused': ['trouble_request_refused', 'trouble_request_refused_do'],
    'no-webrtc': ['trouble_no_webrtc', 'trouble_no_webrtc_do'],
};

const FAULTS: Readonly<Record<RecordingFault['part'], readonly [alone: Key, withServersWords: Key]>> = {
    recording: ['record_failed', 'record_failed_recording'],
    transcript: ['record_no_transcript', 'record_failed_transcript'],
    captions: ['record_no_captions', 'record_failed_captions'],
};

const TRANSCRIPT_ENDS: readonly [Key, Key] = ['record_transcript_ends', 'record_failed_transcript'];

/** Firefox skips the address of the machine itself, so no firewall is to blame there. */
const LOOPBACK_SETTING = 'PARLEY_LISTEN=0.0.0.0:8065';

/** With what the server said, where that is all that is known. */
export function titleOf({code, reason}: Problem): string {
    const title = say(WORDS[code][0]);
    return reason === '' ? title : say('trouble_with_reason', {title, reason});
}

export function adviceOf({code}: Problem): string {
    return code === 'media-unreachable' && isOnLoopback() ? say('trouble_loopback_do', {setting: LOOPBACK_SETTING}) : say(WORDS[code][1]);
}

/** What a recording lacks, and why: in our words where the reason is known, else in the server's. */
export function faultOf({part, reason, failure}: RecordingFault): string {
    const [alone, withServersWords] = part === 'transcript' && saysCutOff(reason) ? TRANSCRIPT_ENDS : FAULTS[part];
    const known = reasonWords(reason) || failureWords(failure ?? '');
    return known !== '' ? `${say(alone)} ${known}` : reason === '' ? say(alone) : say(withServersWords, {reason});
}

/** That nobody spoke is told as well, but nothing failed. */
export function isFailure({reason}: RecordingFault): boolean {
    return !saysSilence(reason);
}

function isOnLoopback(): boolean {
    const host = globalThis.location?.hostname ?? '';
    return host === 'localhost' || host === '[::1]' || host.startsWith('127.');
}
