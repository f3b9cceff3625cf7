/**
 * What the server and its services give as a reason, in words of the page.
 *
 * In: their texts, which are for programs and in English. Out: the same in the person's language, or
 * nothing where a text is not known. Pure.
 */
import {say, type Key} from '../words/words';

const SILENCE = /^nobody said anything/;

/** The first that fits. */
const REASONS: readonly (readonly [RegExp, Key])[] = [
    [/no speech model|speech model .* is not in/, 'reason_no_model'],
    [/knows? English only/, 'reason_english_only'],
    [/speech model cannot be used|speech recognition|^no captions:|^no transcript:/, 'reason_model_unusable'],
    [/captions pause/, 'reason_captions_pause'],
    [SILENCE, 'record_silence'],
    [/timed out waiting for bot|^waited \w+ s for/, 'reason_recorder_late'],
    [/max concurrent jobs/, 'reason_recorder_busy'],
    [/disk is nearly full/, 'reason_disk_full'],
    [/^the recorder stopped unexpectedly/, 'reason_broke_off'],
    [/^the transcriber stopped unexpectedly/, 'reason_transcriber_broke_off'],
    [/bytes do not fit into|No space left|disk refuses/, 'reason_no_disk'],
    [/job service|^failed to create \w+ job/, 'reason_no_service'],
    [/media connection|could not be reached|connection (was )?lost|the bot left|join was refused/, 'reason_recorder_lost'],
    [/will not take it|refuses the bot|kept on the recording server/, 'reason_not_taken'],
    [/worker died|worker broke|its worker/, 'reason_recorder_died'],
    [/recording server is stopped/, 'reason_service_stopped'],
    [/longest duration/, 'reason_limit'],
    [/^(everybody left the call|the (call|client|job) ended|it was (ended|stopped)|job ended)/, 'reason_nothing_captured'],
    [/^recordings are not enabled/, 'reason_not_enabled'],
    [/^no permissions to record/, 'reason_host_records'],
    [/^no permissions|^host controls are not allowed/, 'chat_command_not_host'],
    [/^no call ongoing/, 'chat_command_no_call'],
    [/is not in the call|no such session/, 'reason_not_in_call'],
    [/^recording already in progress/, 'reason_records_already'],
    [/^no recording in progress/, 'reason_records_not'],
    [/^recording already paused/, 'reason_paused_already'],
    [/^recording not paused/, 'reason_not_paused'],
];

export function saysSilence(reason: string): boolean {
    return SILENCE.test(reason);
}

const CUT_OFF = /^the transcriber stopped unexpectedly|until now (is kept|will be posted)/;

/** Something comes all the same: what was heard until then. */
export function saysCutOff(reason: string): boolean {
    return CUT_OFF.test(reason);
}

/** Empty for a reason that is not known. */
export function reasonWords(reason: string): string {
    const key = REASONS.find(([known]) => known.test(reason))?.[1];
    return key ? say(key) : '';
}

const FAILURES: Readonly<Record<string, Key>> = {
    no_speech: 'reason_no_model', not_taken: 'reason_no_service', bot_did_not_come: 'reason_recorder_late', lost: 'reason_not_taken',
};

/** Of a reason that is not known, what its kind says; empty where that is not known either. */
export function failureWords(failure: string): string {
    const key = FAILURES[failure];
    return key ? say(key) : '';
}

/** What stands in the place of a caption that could not be made. */
export function captionNotice(text: string): string {
    const plain = text.replace(/^\[(.*)\]$/, '$1');
    return reasonWords(plain) || plain;
}

const ANSWERS: readonly (readonly [RegExp, Key])[] = [
    [/^Error: Invalid (number of )?arguments provided$/, 'chat_answer_arguments'],
    [/^Invalid subcommand: (?<what>.+)$/, 'chat_answer_unknown'],
    [/^Error: there is nobody called @(?<what>.+)$/, 'chat_answer_nobody'],
];

/** What is followed by an address, which stays outside of the message: marks around it would become part of it. */
const LINKS: readonly (readonly [RegExp, Key])[] = [[/^Call link: (.+)$/, 'chat_answer_link'], [/^Call logs: (.+)$/, 'chat_answer_logs']];

/** What the server answers to a command, shown to its writer alone; as it is where it is not known. */
export function answerWords(answer: string): string {
    for (const [known, key] of ANSWERS) {
        const found = known.exec(answer);
        if (found) {
            return say(key, {what: found.groups?.['what'] ?? ''});
        }
    }
    for (const [known, key] of LINKS) {
        const link = known.exec(answer)?.[1];
        if (link !== undefined) {
            return `${say(key)} ${link}`;
        }
    }
    const reason = /^Error: (.+)$/.exec(answer)?.[1];
    return (reason === undefined ? '' : reasonWords(reason)) || answer;
}
