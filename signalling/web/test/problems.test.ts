/** What a person is told when a call does not work. */

import {afterEach, beforeAll, describe, expect, test, vi} from 'vitest';

import {isPassing, joinRefused, problem} from '../src/peer/problems';
import {adviceOf, titleOf} from '../src/state/advice';
import later from '../src/words/en-later.json';
import {LANGUAGES, laterMessagesOf, messagesOf} from '../src/words/languages';
import {learn, speak} from '../src/words/words';
import refusals from '../../server/src/door/calls/words.rs?raw';

/** What the server writes when it refuses a join. */
const REFUSED = [...refusals.matchAll(/JoinError::(\w+)(?:\([^)]*\))? => "([^"]+)"/g)].map(([, name, text]) => ({name, text: text ?? ''}));
/** Of bots, of what only another client could ask for, and of a server that broke: for these the general words do. */
const NOT_FOR_PEOPLE = ['Unreadable', 'AlreadyConnected', 'ThreadDeleted', 'ThreadNotRoot', 'BotWithoutJob', 'NoJob', 'JobNotPending', 'NoPost'];
const MET = REFUSED.filter(({name = ''}) => !NOT_FOR_PEOPLE.includes(name));

beforeAll(() => learn(later));

afterEach(() => vi.unstubAllGlobals());

function adviceAt(hostname: string): string {
    vi.stubGlobal('location', {hostname});
    return adviceOf(problem('media-unreachable'));
}

test('a server on the same machine is not behind a firewall', () => {
    for (const hostname of ['localhost', '127.0.0.1', '[::1]']) {
        expect(adviceAt(hostname)).toContain('PARLEY_LISTEN=0.0.0.0:8065');
    }
    expect(adviceAt('calls.example.org')).toContain('firewall');
});

describe('a refused join', () => {
    test('is told in words, also one that is not known', () => {
        expect(titleOf(joinRefused('forbidden'))).toContain('may not join');
        expect(titleOf(joinRefused('failed to get rtcd host: none'))).toContain('No media server');
        expect(titleOf(joinRefused('moon in the wrong house'))).toBe('The call could not be joined.');
        expect(titleOf(joinRefused('unlicensed servers only allow calls in DMs'))).toContain('direct messages only');
    });

    test('that the server writes has words of its own', () => {
        expect(MET.map(({name}) => name)).toEqual(expect.arrayContaining(['Forbidden', 'Archived', 'GroupCalls', 'Disabled', 'NotEnabled', 'NoMedia', 'Ended', 'Full']));
        expect(MET.filter(({text}) => joinRefused(text).code === 'join-refused')).toEqual([]);
        expect(new Set(MET.map(({text}) => titleOf(joinRefused(text)))).size).toBe(MET.length);
    });

    test('of a full call says to wait, and of an account that may not join whom to ask', () => {
        const told = (text: string): string => `${titleOf(joinRefused(text))} ${adviceOf(joinRefused(text))}`;
        expect(told('user cannot join because of limits')).toBe('The call is full. Wait until somebody leaves, then join again.');
        expect(told('forbidden')).toBe('You may not join calls in this channel. Ask a channel administrator for permission to post here.');
    });

    test.each(LANGUAGES.map(({tag}) => tag).filter((tag) => tag !== 'en'))('is told in %s', async (tag) => {
        const told = (): string[] => MET.flatMap(({text}) => [titleOf(joinRefused(text)), adviceOf(joinRefused(text))]);
        const english = told();
        speak(tag, {...await messagesOf(tag), ...await laterMessagesOf(tag)});
        expect(told().filter((words) => english.includes(words))).toEqual([]);
        speak('en', await messagesOf('en'));
    });

    test('is not offered again where it would be refused again', () => {
        const again = (text: string): boolean => isPassing(joinRefused(text));
        expect(['calls are disabled in the channel', 'cannot join call in archived channel', 'insufficient permissions', 'forbidden'].filter(again)).toEqual([]);
        expect(['user cannot join because of limits', 'call has ended', 'moon in the wrong house'].filter((text) => !again(text))).toEqual([]);
    });
});
