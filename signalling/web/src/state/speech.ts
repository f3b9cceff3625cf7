/**
 * What the server can make of speech, told before a recording begins and while one runs.
 *
 * In: the configuration of calls, the call. Out: words for people; empty when all is as they expect.
 * Pure.
 */
import {currentLanguage, listed, say} from '../words/words';
import {faultOf} from './advice';
import type {CallsConfig} from './app';
import {willBeTranscribed, type Call} from './calls';
import {reasonWords, saysCutOff} from './reasons';

export interface Speech {
    /** Why nothing is transcribed, as the server says it; empty when that works. */
    problem: string;
    /** ISO 639-1 codes of the only languages that are understood; empty for many, or when the server does not say. */
    languages: readonly string[];
}

/** More than this is as good as all. */
const FEW = 5;

export function parseSpeech(config: Readonly<Record<string, unknown>>): Speech {
    const {SpeechProblem: problem, SpeechLanguages: languages} = config;
    const told = Array.isArray(languages) ? languages as unknown[] : [];
    const codes = told.includes('*') ? [] : told.filter((code): code is string => typeof code === 'string' && /^[a-z]{2,3}$/.test(code));
    return {problem: typeof problem === 'string' ? problem : '', languages: codes.length > FEW ? [] : codes};
}

/** To whoever is about to record: what they may expect and will not get. */
export function speechDoubt(config: CallsConfig): string {
    if (!config.enableTranscriptions) {
        return say('record_no_speech');
    }
    const {problem, languages} = config.speech;
    if (problem !== '') {
        return withoutTranscript(problem);
    }
    return languages.length === 0 || languages.includes(currentLanguage().split('-')[0] ?? '') ? '' : onlyWords(languages);
}

/** To the same, whatever language they read: in which languages what is said is written down, where those are few. */
export function speechLimits({enableTranscriptions, speech: {problem, languages}}: Pick<CallsConfig, 'enableTranscriptions' | 'speech'>): string {
    return enableTranscriptions && problem === '' && languages.length > 0 ? onlyWords(languages) : '';
}

/** Why nobody's words will be shown while they speak; empty when they will. */
export function captionsTold(call: Call, config: CallsConfig | null): string {
    const reason = call.captions?.error || (config?.speech.problem ?? '');
    return reason === '' ? '' : faultOf({part: 'captions', reason});
}

export interface SpeechTold {
    /** It may be promised that there will be a transcript. */
    transcribed: boolean;
    /** What else is to be known of it; may be empty. */
    text: string;
}

/** To everybody in a call that is recorded. */
export function speechTold(call: Call, config: CallsConfig | null): SpeechTold {
    const problem = config?.speech.problem ?? '';
    const reason = call.transcription?.error || (call.transcription ? problem : '');
    if (reason !== '') {
        return {transcribed: false, text: withoutTranscript(reason)};
    }
    const transcribed = willBeTranscribed(call);
    return {transcribed, text: transcribed && config && config.speech.languages.length > 0 ? onlyWords(config.speech.languages) : ''};
}

/** The name of a language in the language of the page; its code where the browser has no name. */
export function languageName(code: string): string {
    try {
        return new Intl.DisplayNames(currentLanguage(), {type: 'language'}).of(code) ?? code;
    } catch {
        return code;
    }
}

function withoutTranscript(reason: string): string {
    const known = reasonWords(reason);
    if (saysCutOff(reason)) {
        return `${say('record_transcript_ends')} ${known}`;
    }
    return known === '' ? say('record_failed_transcript', {reason}) : `${say('record_will_no_transcript')} ${known}`;
}

function onlyWords(languages: readonly string[]): string {
    return say('record_languages', {languages: listed(languages.map(languageName))});
}
