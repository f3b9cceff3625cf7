import type {Channel} from '@mattermost/types/channels';
import type {Post} from '@mattermost/types/posts';
import type {UserProfile} from '@mattermost/types/users';
import {describe, expect, it} from 'vitest';
import {placeOf} from '../src/app/location';
import {opinionScore, QualityMeter} from '../src/peer/quality';
import {emojiOf, newActiveCall, readCaption, withCaption, withoutOldCaptions, withScreen} from '../src/state/active';
import {readCallPost, readCaptions} from '../src/state/callpost';
import {readTranscript} from '../src/state/transcript';
import {channelTitle, emptyChat, replyCounts, rootsOf, threadOf, withArrival, withoutPost, withPosts, type Chat} from '../src/state/chat';

const post = (id: string, at: number, more: Partial<Post> = {}): Post => (
    {id, create_at: at, update_at: at, channel_id: 'c', root_id: '', user_id: 'u', message: id, type: '', props: {}, ...more} as Post
);

describe('messages', () => {
    it('are in order of creation whichever way they come', () => {
        const chat = withPosts(withPosts(emptyChat, [post('b', 2)]), [post('c', 3), post('a', 1)]);
        expect(rootsOf(chat, 'c').map(({id}) => id)).toEqual(['a', 'b', 'c']);
    });

    it('are replaced by newer versions only', () => {
        const chat = withPosts(emptyChat, [post('a', 1, {update_at: 5, message: 'new'})]);
        expect(withPosts(chat, [post('a', 1, {update_at: 4, message: 'old'})]).posts['a']?.message).toBe('new');
        expect(withPosts(chat, [post('a', 1, {update_at: 6, message: 'newest'})]).posts['a']?.message).toBe('newest');
    });

    it('stand in threads with their replies counted', () => {
        const chat = withPosts(emptyChat, [post('r', 1), post('x', 2, {root_id: 'r'}), post('y', 3, {root_id: 'r'}), post('z', 4)]);
        expect(rootsOf(chat, 'c').map(({id}) => id)).toEqual(['r', 'z']);
        expect(threadOf(chat, 'r').map(({id}) => id)).toEqual(['r', 'x', 'y']);
        expect(replyCounts(chat, 'c').get('r')).toBe(2);
        expect(threadOf(withoutPost(chat, 'x'), 'r').map(({id}) => id)).toEqual(['r', 'y']);
    });

    it('are unread once when somebody else wrote them and nobody looked', () => {
        const me: Chat = {...emptyChat, me: {id: 'me'} as UserProfile};
        const once = withArrival(me, post('a', 1), false);
        expect(withArrival(once, post('a', 1), false).unread['c']).toBe(1);
        expect(withArrival(me, post('a', 1, {user_id: 'me'}), false).unread['c']).toBeUndefined();
        expect(withArrival(me, post('a', 1), true).unread['c']).toBeUndefined();
    });
});

it('names a direct channel after the other person', () => {
    const chat: Chat = {...emptyChat, me: {id: 'me'} as UserProfile, users: {you: {id: 'you', username: 'yara', first_name: '', last_name: '', nickname: ''} as UserProfile}};
    expect(channelTitle(chat, {type: 'D', name: 'me__you'} as Channel)).toBe('yara');
    expect(channelTitle(chat, {type: 'D', name: 'you__me'} as Channel)).toBe('yara');
});

describe('the post of a call', () => {
    it('counts recordings and transcripts only once they are published', () => {
        const info = readCallPost(post('p', 1, {props: {
            start_at: 10, end_at: 20, participants: ['a', 7, 'b'],
            recordings: {j1: {file_id: 'f', post_id: 'p'}, j2: {tr_id: 'x'}, j3: {file_id: '', post_id: ''}}, transcriptions: {k: {file_id: 'f', post_id: 'p'}},
        }}));
        expect(info).toEqual({title: '', startAt: 10, endAt: 20, participants: ['a', 'b'], recordings: 1, transcripts: 1, pending: {recordings: 2, transcripts: 0}});
    });

    it('reads captions that name a file', () => {
        expect(readCaptions(post('p', 1, {props: {captions: [{title: 'English', language: 'en', file_id: 'f'}, {language: 'de'}, null]}})))
            .toEqual([{title: 'English', language: 'en', fileId: 'f'}]);
    });
});

describe('a transcript', () => {
    it('is read line by line also where something was not heard, and whatever is said of all of it', () => {
        const said = '00:00:01 -> 00:00:20\nBen\n[not understood: the speech model tiny.en knows English only]';
        const missing = '00:00:21 -> 00:00:25\n[Nothing was heard here: its worker died.]';
        const end = '00:01:01\n[Nothing was heard from here on: the disk is full.]';
        const lines = [
            {at: 1, speaker: 'Ben', text: '[not understood: the speech model tiny.en knows English only]'},
            {at: 21, speaker: '', text: '[Nothing was heard here: its worker died.]'},
            {at: 61, speaker: '', text: '[Nothing was heard from here on: the disk is full.]'},
        ];
        for (const about of ['', '\n\nSome speech was not understood.\n', '\n\nLanguages: English, Spanish.\n', '\n\nLanguages: English, Spanish. Some speech was not understood.\n']) {
            expect(readTranscript(`${said}\n\n${missing}\n\n${end}\n${about}`)).toEqual(lines);
        }
        expect(readTranscript(`${said}\n\nWhat is this?`)).toBeNull();
    });

    it('is read as passages of speakers', () => {
        expect(readTranscript('00:00:01 -> 00:00:10\nAnna Berg\nGood morning.\n\n01:02:03 -> 01:02:04\nBen\nYes,\nhello.\n')).toEqual([
            {at: 1, speaker: 'Anna Berg', text: 'Good morning.'},
            {at: 3723, speaker: 'Ben', text: 'Yes, hello.'},
        ]);
    });

    it('is left alone in another form', () => {
        expect(readTranscript('Anna: good morning')).toBeNull();
        expect(readTranscript('00:00:01 -> 00:00:10')).toBeNull();
    });
});

describe('captions', () => {
    const heard = {utterance: '', final: false, settled: 0, language: '', notice: false};

    it('are replaced per speaker and go after their time', () => {
        let active = withCaption(newActiveCall('c'), {sessionId: 's1', userId: 'u1', text: 'good', at: 0, ...heard});
        active = withCaption(active, {sessionId: 's2', userId: 'u2', text: 'hello', at: 100, ...heard});
        active = withCaption(active, {sessionId: 's1', userId: 'u1', text: 'good morning', at: 200, ...heard});
        expect(active.captions.map(({text}) => text)).toEqual(['good morning', 'hello']);
        expect(withoutOldCaptions(active, 5150, 5000).captions.map(({text}) => text)).toEqual(['good morning']);
        expect(withoutOldCaptions(active, 4000, 5000)).toBe(active);
    });

    it('are read with what of them stays, and without it from older servers', () => {
        const told = {session_id: 's1', user_id: 'u1'};
        expect(readCaption({...told, text: ' Größe 👍 viell'}, 7)).toEqual({...heard, sessionId: 's1', userId: 'u1', text: 'Größe 👍 viell', at: 7, settled: 14});
        const draft = {...told, text: ' Größe 👍 viell ', utterance_id: '7.3', final: false, settled_len: 9, language: 'de', notice: false};
        expect(readCaption(draft, 7)).toMatchObject({utterance: '7.3', final: false, settled: 8, language: 'de', notice: false});
        expect(readCaption({...draft, final: true, settled_len: 2}, 7)).toMatchObject({final: true, settled: 14});
        expect(readCaption({...draft, settled_len: 900}, 7)?.settled).toBe(14);
        expect(readCaption({...draft, settled_len: -3}, 7)?.settled).toBe(0);
        expect(readCaption({...told, text: '[no captions: the server has no speech model]', notice: true}, 7)?.notice).toBe(true);
        expect([readCaption({...told, text: '  '}, 7), readCaption({...told}, 7), readCaption({...told, text: 5}, 7)]).toEqual([null, null, null]);
    });

    it('are not replaced by a draft that comes after the final text', () => {
        const spoken = {...heard, sessionId: 's1', userId: 'u1', at: 0, utterance: '1'};
        const active = withCaption(newActiveCall('c'), {...spoken, text: 'Good morning.', final: true});
        expect(withCaption(active, {...spoken, text: 'good mourning', final: false})).toBe(active);
        expect(withCaption(active, {...spoken, utterance: '2', text: 'how', final: false}).captions.map(({text}) => text)).toEqual(['how']);
    });
});

it('gives a shared screen room, and takes back only what it gave', () => {
    const screen = {} as MediaStream;
    const small = newActiveCall('c');
    expect(withScreen(small, screen).wide).toBe(true);
    expect(withScreen(withScreen(small, screen), null).wide).toBe(false);
    const enlarged = {...small, wide: true};
    expect(withScreen(withScreen(enlarged, screen), null).wide).toBe(true);
});

it.each([
    [{literal: '👏', unified: '1f44f'}, '👏'],
    [{unified: '2764-FE0F'}, '❤️'],
    [{unified: 'zz'}, ''],
    [{unified: 'ffffff'}, ''],
    [null, ''],
])('shows the reaction %j as %j', (emoji, shown) => {
    expect(emojiOf(emoji)).toBe(shown);
});

it.each([
    [{hash: '#/channels/abc', pathname: '/', search: ''}, {channel: 'abc', joinCall: false}],
    [{hash: '', pathname: '/main/channels/abc', search: '?join_call=true'}, {channel: 'abc', joinCall: true}],
    [{hash: '#/channels/%E0%A4%A', pathname: '/', search: ''}, {channel: '', joinCall: false}],
    [{hash: '', pathname: '/', search: ''}, {channel: '', joinCall: false}],
])('reads the address %j', (address, place) => {
    expect(placeOf(address)).toEqual(place);
});

describe('the quality', () => {
    const inbound = (packetsReceived: number, packetsLost: number): [string, unknown] => ['in', {type: 'inbound-rtp', kind: 'audio', packetsReceived, packetsLost, jitter: 0.01}];

    it('is the loss between two reports', () => {
        const meter = new QualityMeter();
        expect(meter.measure([inbound(100, 50)])).toBeNull();
        const quality = meter.measure([inbound(190, 60), ['pair', {type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.2}]]);
        expect(quality?.lossRate).toBeCloseTo(0.1);
        expect(quality).toMatchObject({roundTripTime: 0.2, jitter: 0.01});
    });

    it('scores a clean line well and a lossy one badly', () => {
        expect(opinionScore({lossRate: 0, roundTripTime: 0.02, jitter: 0})).toBeGreaterThan(4.3);
        expect(opinionScore({lossRate: 0.2, roundTripTime: 0.4, jitter: 0.1})).toBeLessThan(2.5);
    });
});
