import type {Channel} from '@mattermost/types/channels';
import type {Post} from '@mattermost/types/posts';
import {describe, expect, it} from 'vitest';
import {callLink, placeOf} from '../src/app/location';
import {newActiveCall} from '../src/state/active';
import {outcomeOf, readCallPost, recordingOf, recordingWithWords} from '../src/state/callpost';
import {applyCallsEvent, parseCall, recordingFaults, willBeTranscribed, type Call} from '../src/state/calls';
import {lasted} from '../src/state/lasting';
import {callPlace, isChannelSeen, type Circumstances} from '../src/state/place';
import {incomingCalls, ownElsewhere, waitsForAnswer} from '../src/state/ringing';
import {findWords, passageAt, readTranscript} from '../src/state/transcript';
import {tellsNow, troubleOf} from '../src/state/trouble';
import {FIT, panned, zoomed} from '../src/state/zoom';

const channel = (id: string, type: 'D' | 'G' | 'O', name = 'me__ben'): Channel => ({id, type, name} as Channel);
const channels = {d: channel('d', 'D'), g: channel('g', 'G'), o: channel('o', 'O'), self: channel('self', 'D', 'me__me')};

function call(channelId: string, owner: string, people: readonly string[], more: object = {}): Call {
    const sessions = people.map((user_id, index) => ({session_id: `${channelId}-${index}`, user_id}));
    const parsed = parseCall(channelId, {id: `call-${channelId}`, start_at: 1000, sessions, owner_id: owner, host_id: owner, post_id: 'p', thread_id: 'p', ...more});
    if (!parsed) {
        throw new Error('no call');
    }
    return parsed;
}

const post = (id: string, type: string, props: object): Post => ({id, type, props, create_at: 1, channel_id: 'd'} as unknown as Post);

describe('ringing', () => {
    const rings = (one: Call, active = null as ReturnType<typeof newActiveCall> | null): string[] => (
        incomingCalls({myId: 'me', channels, calls: {[one.channelId]: one}, active}).map(({callId}) => callId)
    );

    it('is for calls of others in direct and group messages', () => {
        expect(rings(call('d', 'ben', ['ben']))).toEqual(['call-d']);
        expect(rings(call('g', 'ben', ['ben', 'carla']))).toEqual(['call-g']);
        expect(rings(call('o', 'ben', ['ben']))).toEqual([]);
        expect(rings(call('unknown', 'ben', ['ben']))).toEqual([]);
        expect(rings(call('d', 'me', ['ben']))).toEqual([]);
    });

    it('is not for a call one is in, here or with another device', () => {
        expect(rings(call('d', 'ben', ['ben', 'me']))).toEqual([]);
        expect(rings(call('d', 'ben', ['ben']), newActiveCall('d'))).toEqual([]);
        expect(rings(call('d', 'ben', ['ben']), newActiveCall('o'))).toEqual(['call-d']);
    });

    it('ends when the person declined, on whichever device', () => {
        expect(rings(call('d', 'ben', ['ben'], {dismissed_notification: {me: true}}))).toEqual([]);
        const one = call('d', 'ben', ['ben']);
        const after = applyCallsEvent({d: one}, 'user_dismissed_notification', '', {userID: 'me', callID: 'call-d'});
        expect(after['d']?.dismissed).toBe(true);
        expect(applyCallsEvent(after, 'user_dismissed_notification', '', {callID: 'call-d'})).toBe(after);
        expect(applyCallsEvent({d: one}, 'user_dismissed_notification', '', {callID: 'another'})['d']).toBe(one);
    });

    it('shows the newest call first', () => {
        const calls = {d: call('d', 'ben', ['ben']), g: call('g', 'carla', ['carla'], {start_at: 2000})};
        expect(incomingCalls({myId: 'me', channels, calls, active: null}).map(({callerId}) => callerId)).toEqual(['carla', 'ben']);
    });

    it('is heard by the caller until somebody comes', () => {
        const waits = (one: Call, channelId = one.channelId): boolean => (
            waitsForAnswer({myId: 'me', channels, calls: {[channelId]: one}, active: {...newActiveCall(channelId), connection: 'connected'}})
        );
        expect(waits(call('d', 'me', ['me']))).toBe(true);
        expect(waits(call('d', 'me', ['me', 'ben']))).toBe(false);
        expect(waits(call('d', 'ben', ['me']))).toBe(false);
        expect(waits(call('o', 'me', ['me']))).toBe(false);
        expect(waits(call('self', 'me', ['me']))).toBe(false);
        expect(waitsForAnswer({myId: 'me', channels, calls: {d: call('d', 'me', ['me'])}, active: newActiveCall('d')})).toBe(false);
    });

    it('leaves a mark: missed, or no answer', () => {
        const ended = (participants: string[]) => readCallPost(post('p', 'custom_calls', {start_at: 1, end_at: 9, participants}));
        expect(outcomeOf(ended(['ben']), 'ben', 'me', true)).toBe('missed');
        expect(outcomeOf(ended(['ben', 'me']), 'ben', 'me', true)).toBe('ended');
        expect(outcomeOf(ended(['me']), 'me', 'me', true)).toBe('unanswered');
        expect(outcomeOf(ended(['me', 'ben']), 'me', 'me', true)).toBe('ended');
        expect(outcomeOf(ended(['ben']), 'ben', 'me', false)).toBe('ended');
        expect(outcomeOf(readCallPost(post('p', 'custom_calls', {start_at: 1})), 'ben', 'me', true)).toBe('ended');
    });

    it('knows the other sessions of the same person', () => {
        expect(ownElsewhere(call('d', 'me', ['me', 'ben', 'me']), 'me', 'd-0')).toEqual(['d-2']);
        expect(ownElsewhere(undefined, 'me', '')).toEqual([]);
    });
});

describe('the own call on the screen', () => {
    const calm: Circumstances = {inCall: true, inItsChannel: true, listShown: false, threadShown: false, narrow: false, short: false, wide: false};

    it('is its stage where there is room, else its bar', () => {
        const cases: [Partial<Circumstances>, string][] = [
            [{}, 'stage'], [{inCall: false}, 'none'], [{inItsChannel: false}, 'bar'],
            [{threadShown: true}, 'stage'], [{narrow: true}, 'stage'], [{narrow: true, threadShown: true}, 'bar'],
            [{narrow: true, threadShown: true, wide: true}, 'bar'], [{narrow: true, listShown: true}, 'bar'], [{listShown: true}, 'stage'],
            [{short: true}, 'bar'], [{short: true, wide: true}, 'stage'],
        ];
        for (const [change, place] of cases) {
            expect(callPlace({...calm, ...change}), JSON.stringify(change)).toBe(place);
        }
    });

    it('has its end told in its channel, or below whatever lies over it', () => {
        expect(isChannelSeen(calm)).toBe(true);
        expect(isChannelSeen({...calm, threadShown: true, listShown: true})).toBe(true);
        expect(isChannelSeen({...calm, inItsChannel: false})).toBe(false);
        expect(isChannelSeen({...calm, narrow: true, listShown: true})).toBe(false);
        expect(isChannelSeen({...calm, narrow: true, threadShown: true})).toBe(false);
    });

    it('is troubled by one thing at a time', () => {
        expect(troubleOf(true, false, '')).toBeNull();
        expect(troubleOf(false, false, 'not loaded')).toBe('offline');
        expect(troubleOf(true, false, 'not loaded')).toBe('fault');
        expect(troubleOf(false, true, 'not loaded')).toBe('ending');
        expect([tellsNow(true, 'negotiation'), tellsNow(false, 'negotiation'), tellsNow(false, 'microphone-denied')]).toEqual([true, false, true]);
    });

    it('has a link that leads into it', () => {
        const link = new URL(callLink('https://talk.example', 'team one', 'c1'));
        expect(link.href).toBe('https://talk.example/team%20one/channels/c1?join_call=true');
        expect(placeOf(link)).toEqual({channel: 'c1', joinCall: true});
    });
});

describe('a shared screen', () => {
    it('is enlarged around a point, and never leaves its frame', () => {
        expect(zoomed(FIT, 2)).toEqual({scale: 2, x: -0.5, y: -0.5});
        expect(zoomed(FIT, 2, {x: 0, y: 1})).toEqual({scale: 2, x: 0, y: -1});
        expect(zoomed(FIT, 0.5)).toEqual(FIT);
        expect(zoomed({scale: 2, x: -0.5, y: -0.5}, 0.5)).toEqual(FIT);
        expect(zoomed(FIT, 100).scale).toBe(8);
    });

    it('is moved up to its edges', () => {
        const twice = zoomed(FIT, 2);
        expect(panned(twice, 0.2, -0.2)).toEqual({scale: 2, x: -0.3, y: -0.7});
        expect(panned(twice, 9, -9)).toEqual({scale: 2, x: 0, y: -1});
        expect(panned(FIT, 0.3, 0.3)).toEqual(FIT);
    });
});

describe('what a call leaves', () => {
    it('says how long it lasted', () => {
        const plain = (ms: number): string => lasted(ms).replace(/[\u2068\u2069]/g, '').replaceAll('\u00a0', ' ');
        expect(plain(400)).toBe('1 sec');
        expect(plain(40_000)).toBe('40 sec');
        expect(plain(100_000)).toBe('1 min 40 sec');
        expect(plain(119_600)).toBe('2 min');
        expect(plain(28 * 60_000 + 20_000)).toBe('28 min');
        expect(plain(62 * 60_000)).toBe('1 hr 2 min');
        expect(plain(120 * 60_000)).toBe('2 hr');
    });

    it('keeps a duration whole between words of the other direction', () => {
        expect(lasted(100_000)).toMatch(/^\u2068.*\u2069$/);
    });

    it('counts what is being prepared', () => {
        const info = readCallPost(post('p', 'custom_calls', {recordings: {r: {tr_id: 't'}}, transcriptions: {t: {rec_id: 'r', file_id: 'f', post_id: 'q'}}}));
        expect(info.pending).toEqual({recordings: 1, transcripts: 0});
        const told = readCallPost(post('p', 'custom_calls', {transcriptions: {t: {rec_id: 'r', failed_post_id: 'q'}, u: {rec_id: 's'}}}));
        expect(told.pending).toEqual({recordings: 0, transcripts: 1});
    });

    it('puts each film beside its words', () => {
        const root = post('p', 'custom_calls', {recordings: {r1: {tr_id: 't1'}, r2: {tr_id: 't2'}, r3: {}}});
        const films = ['r1', 'r2', 'r3'].map((id) => post(`film-${id}`, 'custom_calls_recording', {recording_id: id}));
        const words = ['t2', 't1'].map((id) => post(`words-${id}`, 'custom_calls_transcription', {transcription_id: id}));
        const all = [...films, ...words];
        const transcriptOf = (film: Post | undefined): string | undefined => film && recordingWithWords(root, all, film).transcript?.id;
        expect(films.map(transcriptOf)).toEqual(['words-t1', 'words-t2', undefined]);
        expect(words.map((one) => recordingOf(root, all, one)?.id)).toEqual(['film-r2', 'film-r1']);
        // A server that does not say: one of each belong together.
        expect(recordingWithWords(post('p', 'custom_calls', {}), [post('f', 'custom_calls_recording', {}), post('w', 'custom_calls_transcription', {})], post('f', 'custom_calls_recording', {})).transcript?.id).toBe('w');
    });

    it('is searched and followed line by line', () => {
        const passages = readTranscript('00:00:01.500 --> 00:00:10\nAnna\nGood morning.\n\n00:00:12,250 --> 00:00:14\nBen\nMorning, Anna.') ?? [];
        expect(passages.map(({at}) => at)).toEqual([1.5, 12.25]);
        expect(findWords(passages, ' MORNING ')).toEqual([0, 1]);
        expect(findWords(passages, 'good')).toEqual([0]);
        expect(findWords(passages, '')).toEqual([]);
        expect([0, 1.5, 11, 99].map((seconds) => passageAt(passages, seconds))).toEqual([-1, 0, 0, 1]);
    });

    it('says what failed, with the reason', () => {
        const job = (err: string, end_at = 0): object => ({type: 'x', init_at: 1, start_at: 2, end_at, err});
        const failed = call('o', 'me', ['me'], {recording: job(''), transcription: job('no model', 5), live_captions: job('no model', 5)});
        expect(recordingFaults(failed)).toEqual([{part: 'transcript', reason: 'no model'}, {part: 'captions', reason: 'no model'}]);
        expect(willBeTranscribed(failed)).toBe(false);
        expect(willBeTranscribed(call('o', 'me', ['me'], {recording: job('')}))).toBe(false);
        expect(willBeTranscribed(call('o', 'me', ['me'], {recording: job(''), transcription: job('')}))).toBe(true);
    });
});
