/** What components draw: numbers that are shown, and names and times of two writing directions in one line. */
import type {Post} from '@mattermost/types/posts';
import type {UserProfile} from '@mattermost/types/users';
import {createElement, type ReactNode} from 'react';
import {renderToStaticMarkup} from 'react-dom/server';
import {afterEach, beforeAll, describe, expect, test, vi} from 'vitest';
import {newActiveCall} from '../src/state/active';
import {initialState, store, type AppState} from '../src/state/app';
import {parseCall} from '../src/state/calls';
import {CallCard} from '../src/ui/CallCard';
import {PeopleButton} from '../src/ui/call/PeopleButton';
import {PostItem} from '../src/ui/PostItem';
import {clock, clocks} from '../src/ui/time';
import later from '../src/words/en-later.json';
import en from '../src/words/en.json';
import {laterMessagesOf, messagesOf} from '../src/words/languages';
import {learn, speak} from '../src/words/words';

// Drawn once, as the state is: without a browser there is nothing to watch it.
vi.mock('react', async (original) => ({...await original<object>(), useSyncExternalStore: (_watch: unknown, now: () => unknown) => now()}));

beforeAll(() => learn(later));
afterEach(() => {
    speak('en', en);
    store.update(() => initialState);
});

const HEBREW = 'דנה כהן';
const ENGLISH = 'Dana Cohen';
const BEGIN = Date.UTC(2026, 10, 30, 10, 15);
const END = BEGIN + 28 * 60_000;
const post = (type: string, props: object = {}): Post => ({id: 'p1', type, props, message: 'hi', user_id: 'dana', channel_id: 'd', root_id: '', create_at: BEGIN, edit_at: 0, reply_count: 0} as unknown as Post);

function know(name: string, more: Partial<AppState> = {}): void {
    const person = (id: string, nickname: string): UserProfile => ({id, username: id, nickname, first_name: '', last_name: '', roles: '', delete_at: 0} as unknown as UserProfile);
    store.update((state) => ({...state, ...more, chat: {...state.chat, me: person('me', 'Me'), users: {dana: person('dana', name), me: person('me', 'Me')}, channels: {d: {id: 'd', type: 'D', name: 'dana__me'} as never}}}));
}

const drawn = (element: ReactNode): string => renderToStaticMarkup(element);
const textOf = (markup: string): string => markup.replace(/<[^>]+>/g, '');
const isolated = (text: string): string => `\u2068${text}\u2069`;

async function inLanguage(tag: string): Promise<void> {
    speak(tag, {...await messagesOf(tag), ...await laterMessagesOf(tag)});
}

describe.each([['en', HEBREW], ['ar', ENGLISH]])('in %s, a name of the other direction', (tag, name) => {
    test('does not tear the time beside it apart in a message', async () => {
        await inLanguage(tag);
        know(name);
        const markup = drawn(createElement(PostItem, {post: post(''), grouped: false, replies: 0, inThread: false}));
        // The name in a `bdi`, the time in an element of its own after it.
        expect(markup).toMatch(new RegExp(`<bdi>${name}</bdi></strong> <time [^>]+>${clock(BEGIN)}</time>`));
        const label = /<article[^>]+aria-label="([^"]+)"/.exec(markup)?.[1] ?? '';
        expect(label).toContain(isolated(name));
        expect(label).toContain(clock(BEGIN));
    });

    test('does not scramble the times of a call', async () => {
        await inLanguage(tag);
        know(name);
        const missed = drawn(createElement(CallCard, {post: post('custom_calls', {start_at: BEGIN, end_at: END, participants: ['dana']}), inThread: false}));
        expect(missed).toContain('data-outcome="missed"');
        expect(textOf(missed)).toContain(isolated(name));
        expect(textOf(missed)).toMatch(new RegExp(`${isolated(clocks(BEGIN, END))} · \u2068[^\u2068]+\u2069`));

        // One that runs, and one whose end nobody has told.
        const call = parseCall('d', {id: 'c', start_at: BEGIN, post_id: 'p1', thread_id: 'p1', owner_id: 'dana', host_id: 'dana', sessions: [{session_id: 's', user_id: 'dana'}]});
        if (call) {
            know(name, {calls: {d: call}});
        }
        for (const state of ['running', 'ended']) {
            const card = drawn(createElement(CallCard, {post: post('custom_calls', {start_at: BEGIN}), inThread: false}));
            expect(card).toContain(`data-state="${state}"`);
            expect(/data-testid="call-times"[^>]*>(.*?)<\/span>/.exec(card)?.[1]).toContain(isolated(clock(BEGIN)));
            store.update((before) => ({...before, calls: {}}));
        }
    });
});

describe('the button of the list of people', () => {
    const inCall = (...users: string[]): void => {
        const call = parseCall('d', {id: 'c', start_at: BEGIN, owner_id: 'me', host_id: 'me', sessions: users.map((user_id, index) => ({session_id: `s${index}`, user_id}))});
        know(ENGLISH, {active: newActiveCall('d'), calls: call ? {d: call} : {}});
    };
    const shown = (): (string | undefined)[] => {
        const markup = drawn(createElement(PeopleButton));
        return [textOf(markup), /aria-label="([^"]+)"/.exec(markup)?.[1]];
    };

    test('shows how many are in the call, somebody with two devices once', () => {
        inCall('me', 'dana', 'ben', 'dana');
        expect(shown()).toEqual(['3', '3 people in the call']);
        inCall('me');
        expect(shown()).toEqual(['1', '1 person in the call']);
    });

    test('shows it in the digits of the person', async () => {
        inCall('me', 'dana', 'ben');
        speak('ar', {...await messagesOf('ar'), ...await laterMessagesOf('ar')}, 'ar-EG');
        expect(shown()[0]).toBe('٣');
    });
});
