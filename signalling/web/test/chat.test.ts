import type {Channel, ChannelMembership} from '@mattermost/types/channels';
import type {Post} from '@mattermost/types/posts';
import type {UserProfile} from '@mattermost/types/users';
import {beforeAll, describe, expect, test} from 'vitest';
import {emptyChat, firstUnread, opened, withArrival, withChannels, withMemberships, withRead, type Chat} from '../src/state/chat';
import {queryAt, withChoice} from '../src/state/complete';
import {MOST_PEOPLE, readPeople} from '../src/state/csv';
import {deviceIn} from '../src/state/device';
import {emojiMatching, emojiNamed} from '../src/state/emoji';
import {fetchReader, isJumbo, ownPicture, namesIn, parse, piecesOf, safeAddress, type Tokens} from '../src/state/markdown';
import {emptyPresence, typingPlace, withoutOldTypists, withoutTypist, withStatuses, withTypist} from '../src/state/presence';
import {mayDelete, mayEdit, mayManage, mayRemove} from '../src/state/rights';
import {earlier, grown, hasEarlier, later, LIMIT, newest, rangeOf, STEP} from '../src/state/window';

beforeAll(fetchReader);

const post = (fields: Partial<Omit<Post, 'type'>> & {type?: string}): Post => ({id: 'p', channel_id: 'c', user_id: 'ben', root_id: '', type: '', create_at: 1, update_at: 1, message: '', ...fields} as Post);
const channel = (fields: Partial<Channel> & {total_msg_count?: number}): Channel => ({id: 'c', type: 'O', name: 'talk', display_name: 'Talk', ...fields} as Channel);
const member = (fields: Partial<ChannelMembership>): ChannelMembership => ({channel_id: 'c', roles: 'channel_user', msg_count: 0, mention_count: 0, last_viewed_at: 0, ...fields} as ChannelMembership);
const anna = {id: 'anna', username: 'anna', roles: 'system_user'} as UserProfile;

describe('markdown', () => {
    test('HTML stays text and no address that a browser would run is a link', () => {
        const [first] = parse('<img src=x onerror=alert(1)>');
        expect(['html', 'paragraph']).toContain(first?.type);
        for (const bad of ['javascript:alert(1)', 'JaVaScRiPt:alert(1)', ' java\u0000script:alert(1)', 'java\nscript:x', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', '//evil.example', '/api/v4/users', '\u200bjavascript:x']) {
            expect(safeAddress(bad), bad).toBeNull();
        }
        expect(safeAddress('https://example.org/a?b=c#d')).toBe('https://example.org/a?b=c#d');
        expect(safeAddress('example.org/page')).toBe('https://example.org/page');
        expect(safeAddress('mailto:a@example.org')).toBe('mailto:a@example.org');
    });

    test('line ends are kept, as Mattermost keeps them', () => {
        const [paragraph] = parse('one\ntwo') as Tokens.Paragraph[];
        expect(paragraph?.tokens.map(({type}) => type)).toEqual(['text', 'br', 'text']);
    });

    test('mentions, channels and emoji are found in text, and not in addresses or times', () => {
        expect(piecesOf('hi @anna.b. see ~town-square :tada:!').map(({kind, text}) => [kind, text])).toEqual([
            ['text', 'hi '], ['mention', '@anna.b'], ['text', '. see '], ['channel', '~town-square'], ['text', ' '], ['emoji', '🎉'], ['text', '!'],
        ]);
        expect(piecesOf('a@b.org 12:30:45 :nothing: ~~x~~').map(({kind}) => kind)).toEqual(['text']);
        expect(piecesOf('a &amp; b &lt;c&gt;')).toEqual([{kind: 'text', text: 'a & b <c>'}]);
        expect(namesIn('@Anna and @all and @ben')).toEqual(['anna', 'ben']);
    });

    test('only a few emoji alone are shown large', () => {
        expect([':tada:', '🎉 🎉', ':tada: :+1: ❤️'].map(isJumbo)).toEqual([true, true, true]);
        expect(['', 'ok :tada:', ':tada::tada::tada::tada:', '12'].map(isJumbo)).toEqual([false, false, false, false]);
    });

    test('a very long text is not read as Markdown', () => {
        expect(parse('*'.repeat(30_000))).toHaveLength(1);
    });
});

test('a picture in a text is one of this server, or none', () => {
    const id = 'a'.repeat(26);
    const own = (href: string): string | null => ownPicture(href, 'https://talk.example');
    expect([own(`/api/v4/files/${id}`), own(`https://talk.example/api/v4/files/${id}/preview`)]).toEqual([`/api/v4/files/${id}`, `/api/v4/files/${id}/preview`]);
    for (const href of [
        `https://else.example/api/v4/files/${id}`, `//else.example/api/v4/files/${id}`, `http://talk.example/api/v4/files/${id}`, `https://talk.example@else.example/api/v4/files/${id}`,
        `/api/v4/files/${id}?download=1`, `/api/v4/users/logout`, `/api/v4/files/${id}/../../users/me`, 'javascript:alert(1)', `data:image/png;base64,AAAA`, 'https://[', '',
    ]) {
        expect(own(href), href).toBeNull();
    }
});

test('emoji are known by name', () => {
    expect(emojiNamed('+1')).toBe('👍');
    expect(emojiNamed('wine_glass')).toBe('🍷');
    expect(emojiNamed('no_such')).toBeUndefined();
    expect([emojiNamed('flag-de'), emojiNamed('Flag-GB'), emojiNamed('flag-xq'), emojiNamed('flag-d')]).toEqual(['🇩🇪', '🇬🇧', undefined, undefined]);
    expect(emojiMatching('flag-br', 3)).toEqual([{name: 'flag-br', emoji: '🇧🇷'}]);
    expect(emojiMatching('hear', 3).map(({name}) => name)).toEqual(['heart', 'heart_eyes', 'hear_no_evil']);
});

describe('completing', () => {
    test('a name is completed at the cursor, an address is not', () => {
        expect(queryAt('hi @an', 6)).toEqual({kind: 'person', term: 'an', from: 3});
        expect(queryAt('mail a@an', 9)).toBeNull();
        expect(queryAt('at 12:30', 8)).toBeNull();
        expect(queryAt('so :sm', 6)).toEqual({kind: 'emoji', term: 'sm', from: 3});
        expect(queryAt('hi @an there', 12)).toBeNull();
    });

    test('the choice takes the place of what was written, with one space after it', () => {
        const query = queryAt('hi @an there', 6);
        expect(query && withChoice('hi @an there', 6, query, '@anna')).toEqual({text: 'hi @anna there', cursor: 9});
    });
});

describe('unread', () => {
    const chat: Chat = withChannels({...emptyChat, me: anna}, [channel({total_msg_count: 12})]);

    test('what the server counts is shown, and gone once the channel is opened', () => {
        const loaded = withMemberships(chat, [member({msg_count: 9, mention_count: 1, last_viewed_at: 50})]);
        expect([loaded.unread['c'], loaded.mentions['c'], loaded.readUntil['c']]).toEqual([3, 1, 50]);
        const seen = opened(loaded, 'c');
        expect([seen.unread['c'], seen.mentions['c'], seen.readUntil['c']]).toEqual([0, 0, 50]);
        expect(opened(opened(seen, 'd'), 'c').readUntil['c']).toBe(0); // read by now: no line any more
    });

    test('the line stands before the first message of somebody else that nobody looked at', () => {
        const come = withArrival(withArrival(chat, post({id: 'x', create_at: 70}), false), post({id: 'y', create_at: 80}), false, true);
        expect([come.unread['c'], come.mentions['c'], come.readUntil['c']]).toEqual([2, 1, 69]);
        const posts = [post({id: 'w', create_at: 60}), post({id: 'mine', user_id: 'anna', create_at: 70}), post({id: 'y', create_at: 80})];
        expect(firstUnread(posts, 69, 'anna')).toBe('y');
        expect(firstUnread(posts, 0, 'anna')).toBeUndefined();
        expect(withRead(come, 'c').unread['c']).toBe(0);
    });
});

describe('the part of a list that is shown', () => {
    test('is bounded however far one goes back, and loses nothing on the way', () => {
        let part = newest;
        let steps = 0;
        while (hasEarlier(part, 10_000)) {
            const [from] = rangeOf(part, 10_000);
            part = earlier(part, 10_000);
            const [next, to] = rangeOf(part, 10_000);
            expect(to - next).toBeLessThanOrEqual(LIMIT);
            expect(to).toBeGreaterThanOrEqual(from); // what was in sight is still there
            steps += 1;
        }
        expect(rangeOf(part, 10_000)[0]).toBe(0);
        expect(steps).toBeGreaterThan(100);
        while (part.after > 0) {
            part = later(part);
        }
        expect(rangeOf(part, 10_000)[1]).toBe(10_000);
    });

    test('shows no less for what is not loaded yet', () => {
        let part = newest;
        let shown = 0;
        for (let length = STEP; length <= 600; length += STEP) {
            part = earlier(part, length);
            const [from, to] = rangeOf(part, length);
            expect(from).toBe(0);
            expect(to - from).toBe(Math.min(length, LIMIT));
            expect(to - from).toBeGreaterThanOrEqual(shown);
            shown = to - from;
        }
        // Nothing more came: nothing moves, and a message at the end is still seen in a short list.
        expect(rangeOf(earlier(part, 600), 600)).toEqual(rangeOf(part, 600));
        expect(rangeOf(earlier({after: 0, size: 60}, 10), 11)).toEqual([0, 11]);
    });

    test('follows the newest at the end and stays where one reads', () => {
        expect(rangeOf(grown(newest, 1), 501)[1]).toBe(501);
        const back = {after: 100, size: LIMIT};
        expect(rangeOf(grown(back, 5), 505)).toEqual(rangeOf(back, 500));
    });
});

describe('presence', () => {
    const place = typingPlace('c', '');

    test('somebody writes until a message comes or nothing is heard for a while', () => {
        const writing = withTypist(withTypist(emptyPresence, place, 'ben', 1000), place, 'carla', 4000);
        expect(withoutTypist(writing, place, 'ben').typing[place]).toEqual([{userId: 'carla', at: 4000}]);
        expect(withoutOldTypists(writing, 8000).typing[place]).toEqual([{userId: 'carla', at: 4000}]);
        expect(withoutOldTypists(writing, 4001)).toBe(writing);
        expect(withoutOldTypists(writing, 20_000).typing[place]).toBeUndefined();
    });

    test('an unknown status is offline, and what is known already changes nothing', () => {
        const known = withStatuses(emptyPresence, [{userId: 'ben', status: 'dnd'}, {userId: 'carla', status: 'ooo'}]);
        expect(known.statuses).toEqual({ben: 'dnd', carla: 'offline'});
        expect(withStatuses(known, [{userId: 'ben', status: 'dnd'}])).toBe(known);
    });
});

test('rights are those that the server will judge by', () => {
    const chat = withMemberships(withChannels({...emptyChat, me: anna}, [channel({}), channel({id: 'p', type: 'P', name: 'secret'}), channel({id: 'd', type: 'D', name: 'anna__ben'}), channel({id: 't', name: 'town-square'})]), [member({})]);
    const asAdmin = {...chat, me: {...anna, roles: 'system_user system_admin'}};
    const asChannelAdmin = withMemberships(chat, [member({roles: 'channel_user channel_admin'})]);
    expect([chat, asChannelAdmin, asAdmin].map((state) => mayManage(state, 'c'))).toEqual([false, true, true]);
    expect(mayManage(asAdmin, 'd')).toBe(false);
    expect(['c', 'p', 'd', 't'].map((id) => mayRemove(asAdmin, asAdmin.channels[id] as Channel))).toEqual([true, true, false, false]);
    expect(mayRemove(chat, chat.channels['p'] as Channel)).toBe(true);
    expect([mayEdit(asAdmin, post({})), mayEdit(chat, post({user_id: 'anna'})), mayEdit(chat, post({user_id: 'anna', type: 'custom_calls'}))]).toEqual([false, true, false]);
    expect([mayDelete(chat, post({})), mayDelete(asAdmin, post({})), mayDelete(chat, post({user_id: 'anna'})), mayDelete(chat, post({user_id: 'anna', type: 'custom_calls'}))]).toEqual([false, true, true, false]);
});

test('a list of people is read as spreadsheets write it', () => {
    const read = readPeople('\ufeffUsername;E-Mail;First name;Last name\r\nAnna;Anna@example.org;Anna;"Berg; ""Bee"""\r\n\r\nben;;;\r\n;;;\r\n');
    expect(read.people.map(({username, email, first_name, last_name}) => [username, email, first_name, last_name])).toEqual([['anna', 'anna@example.org', 'Anna', 'Berg; "Bee"'], ['ben', '', '', '']]);
    expect(read.mistakes).toEqual([]);
    expect(readPeople('username,nickname,password,role\ncarla,Cari,a long password,administrator\ndora,,,person\n').people).toEqual([
        {line: 2, username: 'carla', email: '', first_name: '', last_name: '', nickname: 'Cari', password: 'a long password', isAdministrator: true},
        {line: 3, username: 'dora', email: '', first_name: '', last_name: '', nickname: '', password: '', isAdministrator: false},
    ]);
});

test('a list with a mistake in any line is refused whole, as the command line does', () => {
    const told = (text: string): string[] => {
        const {people, mistakes} = readPeople(text, 12);
        expect(people).toEqual([]);
        return mistakes.map(({line, why, what}) => `${line} ${why} ${what}`);
    };
    expect(told('username,password,role\nanna,short,\nan na,,\nben,,chief\nzoe,,\nZoe,,\nall,,\n')).toEqual([
        '2 password anna', '3 username an na', '4 role chief', '6 twice zoe', '7 username all',
    ]);
    // A text in quotes may go over several lines.
    expect(told('username,email,last_name\nanna,a@b,"Berg\nTal"\nben,nowhere,\ncarla,a@b,\ndora,x\n')).toEqual(['4 email nowhere', '5 twice a@b', '6 fields 2']);
    expect(told('carla,c@example.org,Carla,Reyes,a long password')).toEqual([
        '1 column carla', '1 column c@example.org', '1 column Carla', '1 column Reyes', '1 column a long password', '1 no-username username',
    ]);
    expect(told('username\n')).toEqual(['0 nobody ']);
    expect(told(`username\n${Array.from({length: MOST_PEOPLE + 1}, (_, at) => `p${at}\n`).join('')}`)).toEqual(['0 many ']);
});

test('a sign-in is told with what it was made with, as far as the server knows', () => {
    expect(deviceIn({device_id: '', props: {}}, 'Phone app')).toBe('');
    expect(deviceIn({device_id: '', props: {browser: 'Firefox', os: 'Linux', platform: 7}}, 'Phone app')).toBe('Firefox, Linux');
    expect(deviceIn({device_id: 'x', props: {os: 'iOS'}}, 'Phone app')).toBe('Phone app, iOS');
});
