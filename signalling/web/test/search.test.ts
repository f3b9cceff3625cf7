import type {Post} from '@mattermost/types/posts';
import {describe, expect, test} from 'vitest';
import {emptyChat, rootsOf, withoutPost, withPosts} from '../src/state/chat';
import {excerptOf, wordsIn} from '../src/state/excerpt';
import {withNewest, within} from '../src/state/reach';
import {around, rangeOf} from '../src/state/window';

const post = (at: number): Post => ({id: `p${at}`, channel_id: 'c', root_id: '', create_at: at, update_at: at, message: ''} as unknown as Post);
const posts = [1, 2, 3, 4, 5, 6].map(post);
const chat = withPosts(emptyChat, posts);

describe('the part that is loaded', () => {
    test('hides what lies beyond a hole, on either side', () => {
        const ids = (from: string, to: string): string[] => rootsOf({...chat, reach: {c: {from, to}}}, 'c').map(({id}) => id);
        expect(ids('p2', 'p4')).toEqual(['p2', 'p3', 'p4']);
        expect(ids('p5', '')).toEqual(['p5', 'p6']);
        expect(ids('', '')).toHaveLength(6);
    });

    test('goes on where the newest page meets it, and begins anew where it does not', () => {
        const before = {from: 'p2', to: ''};
        expect(withNewest(before, {order: ['p6', 'p5', 'p4']}, chat.posts)).toBe(before);
        expect(withNewest(before, {order: ['p9', 'p8']}, chat.posts)).toEqual({from: 'p8', to: ''});
        expect(withNewest({from: 'p2', to: 'p3'}, {order: ['p6', 'p5']}, chat.posts)).toEqual({from: 'p5', to: ''});
        // The page holds an old message for the sake of its thread: that is no place the two meet.
        expect(withNewest({from: 'p4', to: ''}, {order: ['p9', 'p1']}, chat.posts)).toEqual({from: 'p1', to: ''});
        expect(withNewest(undefined, {order: []}, {})).toEqual({from: '', to: ''});
    });

    test('survives that its first or last message is deleted', () => {
        const part = {...chat, reach: {c: {from: 'p2', to: 'p4'}}};
        expect(withoutPost(part, 'p2').reach['c']).toEqual({from: 'p3', to: 'p4'});
        expect(withoutPost(part, 'p4').reach['c']).toEqual({from: 'p2', to: 'p3'});
        expect(withoutPost(part, 'p3').reach['c']).toEqual({from: 'p2', to: 'p4'});
    });

    test('is judged by time', () => {
        expect(posts.map((one) => within(one, {from: 'p3', to: ''}, chat.posts))).toEqual([false, false, true, true, true, true]);
    });
});

test('what was found stands in the middle of what is shown', () => {
    const [from, to] = rangeOf(around(1000, 500), 1000);
    expect(from).toBeLessThan(500);
    expect(to).toBeGreaterThan(500);
    expect(rangeOf(around(1000, 990), 1000)).toEqual([880, 1000]);
    expect(rangeOf(around(1000, -1), 1000)[1]).toBe(1000);
});

describe('an excerpt', () => {
    test('marks the words that were looked for, from their beginning', () => {
        expect(excerptOf('Roses and primroses, ROSE', 'rose').map(({text, isMatch}) => (isMatch ? `[${text}]` : text)).join('')).toBe('[Rose]s and primroses, [ROSE]');
        expect(excerptOf('**a**+`b`', 'from:ann')).toEqual([{text: 'a+b', isMatch: false}]);
    });

    test('shows the place of the first of them', () => {
        const [first, second] = excerptOf(`${'before '.repeat(60)}here ${'after '.repeat(90)}`, 'here');
        expect(first?.text.startsWith('…')).toBe(true);
        expect(second).toEqual({text: 'here', isMatch: true});
    });

    test('looks for no filters and for nothing that must be missing', () => {
        expect(wordsIn('red "deep blue" -green -"light grey" from:ann in: "the room" before:2026-01-01')).toEqual(['red', 'deep', 'blue']);
    });
});
