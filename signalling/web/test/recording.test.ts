/** What people are told of a recording: what will come of it, that it rests, how far it is, when it ends, and why not. */
import type {Post} from '@mattermost/types/posts';
import {afterEach, beforeAll, describe, expect, it} from 'vitest';
import {faultOf} from '../src/state/advice';
import {initialState, type CallsConfig} from '../src/state/app';
import {faultIn} from '../src/state/callpost';
import {applyCallsEvent, isPaused, isRunning, parseCall, recordingFaults, withJob, type Call} from '../src/state/calls';
import {answerWords, captionNotice, reasonWords} from '../src/state/reasons';
import {endsSoon} from '../src/state/recordlimit';
import {captionsTold, parseSpeech, speechDoubt, speechLimits, speechTold} from '../src/state/speech';
import en from '../src/words/en.json';
import {laterMessagesOf, messagesOf} from '../src/words/languages';
import later from '../src/words/en-later.json';
import {learn, speak} from '../src/words/words';

beforeAll(() => learn(later));
afterEach(() => speak('en', en));

const NO_MODEL = 'this server has no speech model that can be used: no transcripts, no captions';

function config(more: Record<string, unknown> = {}): CallsConfig {
    return {
        iceServers: [], needsTurnCredentials: false, allowScreenSharing: true, enableRecordings: true, enableTranscriptions: true, enableLiveCaptions: true, enableRinging: true,
        enableSimulcast: false, enableDcSignaling: false, enableVideo: false, maxRecordingMinutes: 60, versions: {}, speech: parseSpeech(more),
    };
}

function call(more: object): Call {
    const parsed = parseCall('o', {id: 'c', start_at: 1, sessions: [{session_id: 's', user_id: 'u'}], owner_id: 'u', host_id: 'u', post_id: 'p', thread_id: 'p', ...more});
    if (!parsed) {
        throw new Error('no call');
    }
    return parsed;
}

const job = (more: object = {}): object => ({type: 'recording', init_at: 1, start_at: 2, end_at: 0, ...more});

describe('what is said of speech', () => {
    it('is in which languages it is written down before a recording begins, whatever language one reads', () => {
        expect(speechLimits(config({SpeechLanguages: ['en']}))).toBe('Only what is said in these languages is transcribed: English.');
        expect([config(), config({SpeechLanguages: ['*']}), config({SpeechProblem: NO_MODEL, SpeechLanguages: ['en']}), {...config({SpeechLanguages: ['en']}), enableTranscriptions: false}].map(speechLimits)).toEqual(['', '', '', '']);
    });

    it('is nothing where all is well, or where a server does not say', () => {
        expect(speechDoubt(config())).toBe('');
        expect(speechDoubt(config({SpeechProblem: '', SpeechLanguages: ['en']}))).toBe('');
        expect(speechDoubt(config({SpeechLanguages: ['de', '*']}))).toBe('');
        expect(speechDoubt(config({SpeechProblem: 7, SpeechLanguages: 'en'}))).toBe('');
        expect(speechDoubt(config({SpeechLanguages: ['de', 'en', 'es', 'fr', 'it', 'pt']}))).toBe('');
    });

    it('is told to whoever is about to record: no model, no transcripts, another language', async () => {
        expect(speechDoubt(config({SpeechProblem: NO_MODEL}))).toBe('There will be no transcript. This server has no speech model. An administrator can install one.');
        expect(speechDoubt({...config(), enableTranscriptions: false})).toContain('makes no transcripts');
        expect(speechDoubt(config({SpeechProblem: 'the moon'}))).toContain('the moon');
        speak('de', await messagesOf('de'));
        expect(speechDoubt(config({SpeechLanguages: ['en']}))).toContain('Englisch');
        expect(speechDoubt(config({SpeechLanguages: ['en', 'de']}))).toBe('');
        expect(speechLimits(config({SpeechLanguages: ['en', 'de']}))).toMatch(/Englisch.*Deutsch/);
    });

    it('is told to everybody instead of a promise', () => {
        const both = call({recording: job(), transcription: job({type: 'transcribing', start_at: 0})});
        expect(speechTold(both, config())).toEqual({transcribed: true, text: ''});
        expect(speechTold(both, null)).toEqual({transcribed: true, text: ''});
        expect(speechTold(both, config({SpeechLanguages: ['en']})).text).toContain('English');
        expect(speechTold(both, config({SpeechProblem: NO_MODEL}))).toMatchObject({transcribed: false, text: expect.stringContaining('no speech model') as string});
        const failed = call({recording: job(), transcription: job({type: 'transcribing', err: 'failed to start transcribing job: timed out waiting for bot to join call'})});
        expect(speechTold(failed, config())).toMatchObject({transcribed: false, text: expect.stringContaining('did not come') as string});
        expect(captionsTold(both, config({SpeechProblem: NO_MODEL}))).toContain('no live captions');
        expect(captionsTold(call({live_captions: job({type: 'captioning', err: 'the media connection was lost'})}), config())).toContain('lost its connection');
        expect(captionsTold(both, config())).toBe('');
        // Nobody promised one: there is nothing to take back.
        expect(speechTold(call({recording: job()}), config({SpeechProblem: NO_MODEL}))).toEqual({transcribed: false, text: ''});
    });
});

describe('a recording', () => {
    it('rests and goes on', () => {
        const runs = {o: call({recording: job()})};
        expect(isPaused(runs.o.recording)).toBe(false);
        const rests = applyCallsEvent(runs, 'call_job_state', 'o', {jobState: job({paused_at: 9})});
        expect([isPaused(rests['o']?.recording ?? null), isRunning(rests['o']?.recording ?? null)]).toEqual([true, true]);
        const goesOn = applyCallsEvent(rests, 'call_job_state', 'o', {jobState: job({paused_at: 0})});
        expect(isPaused(goesOn['o']?.recording ?? null)).toBe(false);
        expect(isPaused(call({recording: job({paused_at: 9, end_at: 10})}).recording)).toBe(false);
        expect(isPaused(call({recording: job({paused_at: 9})}).recording)).toBe(true);
    });

    it('says how far it is, after its call as well', () => {
        expect(call({recording: job({end_at: 5, progress: 40})}).recording?.progress).toBe(40);
        expect(call({recording: job({end_at: 5})}).recording?.progress).toBeNull();
        expect([-1, 101, 'half', null].map((progress) => call({recording: job({progress})}).recording?.progress)).toEqual([null, null, null, null]);
        expect(withJob(job({end_at: 5, progress: 0})).recording?.progress).toBe(0);
        expect(recordingFaults(withJob(job({type: 'transcribing', end_at: 5, err: 'x'})))).toEqual([{part: 'transcript', reason: 'x'}]);
        expect(withJob(null).recording).toBeNull();
    });

    it('tells its host ten minutes before it ends by itself', () => {
        const {recording} = call({recording: job({start_at: 1000})});
        const at = (minutes: number): number => 1000 + minutes * 60_000;
        expect(endsSoon(recording, 60, at(49))).toBeNull();
        expect(endsSoon(recording, 60, at(50))).toBe(10 * 60_000);
        expect(endsSoon(recording, 60, at(61))).toBe(0);
        expect(endsSoon(recording, 0, at(61))).toBeNull();
        expect(endsSoon(call({recording: job({start_at: 1000, end_at: 2000})}).recording, 60, at(55))).toBeNull();
        expect(endsSoon(null, 60, at(55))).toBeNull();
    });
});

describe('reasons of the server', () => {
    const KNOWN = [
        NO_MODEL, 'no transcript: speech model `base` is not in `/m`: run `models pull base`', '[no captions: the server has no speech model]', '[not understood: the captions know English only]',
        'failed to start recording job: timed out waiting for bot to join call', 'failed to create recording job: max concurrent jobs reached',
        'failed to create recording job: 5 bytes do not fit into `/d`: 3 are free, and 2 of them are kept free for records; make room on this disk',
        'failed to create recording job: connection refused', 'job service is not initialized', 'the media connection was lost', 'the bot left', 'the transcriber stopped unexpectedly', 'its worker died 3 times; see its log',
        'the worker died before the capture began', 'recordings are not enabled', 'no permissions to record', 'no permissions', 'no call ongoing', 'requested session or user is not in the call',
        'recording already in progress', 'no recording in progress', 'recording already paused', 'recording not paused', 'nobody said anything', '[captions pause: the server is busy]', '[no captions: the server\'s speech model cannot be used]', 'no transcript: the model `base` is damaged',
        '[no captions: the server cannot run speech recognition]', 'no transcript: this processor has no `AVX2`, which speech recognition was built to use',
        'speech recognition was built for AVX2, which this server\'s processor has not: no transcripts, no captions',
        'the recording server is stopped', 'it reached its longest duration', 'everybody left the call', 'it was ended before it began', 'the recording server\'s disk refuses to be written',
        'too large; it is kept on the recording server for its operator',
        'the messaging server will not take it: too large',
    ];

    it('are said in every language', async () => {
        for (const tag of ['en', 'de', 'fr', 'es', 'pt-BR', 'ar']) {
            speak(tag, await messagesOf(tag));
            const silent = KNOWN.filter((reason) => captionNotice(reason) === reason || captionNotice(reason) === '');
            expect(silent, tag).toEqual([]);
        }
    });

    it('tell a model that is missing from one that cannot be used', () => {
        const same = (one: string, other: string): boolean => captionNotice(one) === captionNotice(other);
        expect(same('[no captions: the server has no speech model]', NO_MODEL)).toBe(true);
        expect(same('[no captions: the server cannot run speech recognition]', '[no captions: the server\'s speech model cannot be used]')).toBe(true);
        expect(same('[no captions: the server cannot run speech recognition]', NO_MODEL)).toBe(false);
    });

    it('stay as they are where nobody knows them', () => {
        expect(reasonWords('moon in the wrong house')).toBe('');
        expect(captionNotice('[moon]')).toBe('moon');
        expect(faultOf({part: 'recording', reason: 'moon'})).toBe('The recording failed. The server says: moon.');
        expect(faultOf({part: 'transcript', reason: ''})).toBe('There is no transcript.');
        expect(faultOf({part: 'captions', reason: NO_MODEL})).toBe('There are no live captions. This server has no speech model. An administrator can install one.');
    });

    it('do not deny a transcript that was cut off and comes', () => {
        const died = 'the transcriber stopped unexpectedly: what was said until now will be posted';
        expect(faultOf({part: 'transcript', reason: died})).toBe('The transcript ends early. The transcriber broke down. What was said until then will be posted.');
        const lost = 'the media connection was lost: what was said until now will be posted';
        expect(faultOf({part: 'transcript', reason: lost})).toContain('The transcript ends early. ');
        expect(faultOf({part: 'recording', reason: lost})).not.toContain('transcript');
    });

    it('stand in the thread of a call without a transcript', () => {
        const post = {type: 'custom_calls_no_transcript', props: {reason: NO_MODEL}, message: 'There is no transcript of this call'} as unknown as Post;
        const told = (one: object): string => {
            const fault = faultIn({...post, ...one} as unknown as Post);
            return fault ? faultOf(fault) : 'no fault';
        };
        expect(told({})).toBe('There is no transcript. This server has no speech model. An administrator can install one.');
        expect(told({props: {}})).toBe('There is no transcript.');
        expect(told({type: 'custom_calls_no_recording', props: {reason: 'moon', failure: 'lost'}})).toBe('The recording failed. The server did not take what was recorded. An administrator can see why in its log.');
        expect(told({type: 'custom_calls_no_recording', props: {reason: 'moon'}})).toContain('moon');
        expect(told({type: ''})).toBe('no fault');
    });

    it('to a command are told in words, and what is asked for stays', async () => {
        speak('fr', await messagesOf('fr'));
        expect(answerWords('Call link: http://a/b?join_call=true')).toBe('Lien de l’appel : http://a/b?join_call=true');
        expect(answerWords('Error: there is nobody called @ann')).toContain('ann');
        expect(answerWords('Error: no permissions')).toContain('hôte');
        expect(answerWords('Error: Invalid number of arguments provided')).not.toContain('Invalid');
        expect(answerWords('Invalid subcommand: fly')).toContain('fly');
        expect(answerWords('```json\n{}\n```')).toBe('```json\n{}\n```');
    });
});

it('the page knows nothing of progress before it is told', () => {
    expect(initialState.recordProgress).toEqual({});
});

it.each(['en', 'de', 'fr', 'es', 'pt-BR', 'ar'])('what is written on the controls is in their names: %s', async (tag) => {
    const named: Readonly<Record<string, string>> = tag === 'en' ? {...later, ...en} : {...await laterMessagesOf(tag), ...await messagesOf(tag)};
    for (const [name, written] of [['record_pause', 'record_pause_short'], ['record_resume', 'record_resume_short'], ['call_record_stop', 'record_stop_short']] as const) {
        expect(named[name]?.toLowerCase(), name).toContain(named[written]?.toLowerCase());
    }
});
