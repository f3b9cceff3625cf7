import type {Post} from '@mattermost/types/posts';
import type {Reaction} from '@mattermost/types/reactions';
import {expect, test} from 'vitest';
import {emptyChat, withPosts} from '../src/state/chat';
import {reactionIn, reactionsOf, withoutReaction, withReaction} from '../src/state/reactions';

const reaction = (user_id: string, emoji_name: string): Reaction => ({user_id, emoji_name, post_id: 'p', create_at: 1});
const chat = withPosts(emptyChat, [{id: 'p', channel_id: 'c', create_at: 1, update_at: 1, message: 'hello', metadata: {}} as unknown as Post]);
const shown = (of: typeof chat): string[] => {
    const post = of.posts['p'];
    return post ? reactionsOf(post).map(({name, userIds}) => `${name}: ${userIds.join()}`) : [];
};

test('reactions are counted by emoji in the order of the first, and each person counts once', () => {
    const all = [reaction('ann', '+1'), reaction('ben', 'tada'), reaction('ben', '+1'), reaction('ben', '+1')].reduce(withReaction, chat);
    expect(shown(all)).toEqual(['+1: ann,ben', 'tada: ben']);
    expect(shown(withoutReaction(all, reaction('ben', '+1')))).toEqual(['+1: ann', 'tada: ben']);
    expect(shown(withoutReaction(all, reaction('ben', 'tada')))).toEqual(['+1: ann,ben']);
});

test('what is not known, or nothing new, changes nothing', () => {
    const one = withReaction(chat, reaction('ann', '+1'));
    expect(withReaction(one, reaction('ann', '+1'))).toBe(one);
    expect(withoutReaction(one, reaction('ben', '+1'))).toBe(one);
    expect(withReaction(one, {...reaction('ann', '+1'), post_id: 'gone'})).toBe(one);
    expect(reactionIn({reaction: JSON.stringify(reaction('ann', '+1'))})?.user_id).toBe('ann');
    expect([reactionIn({}), reactionIn({reaction: '{"post_id":1}'}), reactionIn({reaction: 'null'})]).toEqual([null, null, null]);
});
