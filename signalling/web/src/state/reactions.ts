/**
 * Who answered a message with which emoji.
 *
 * In: messages and the news of reactions. Out: what stands below a message, and the next state. Pure.
 */
import type {Post} from '@mattermost/types/posts';
import type {Reaction} from '@mattermost/types/reactions';
import {isRecord} from '../peer/record';
import type {Chat} from './chat';

export interface ReactionGroup {
    /** Of the emoji, without colons. */
    name: string;
    userIds: readonly string[];
}

/** The first one who chose an emoji gives it its place. */
export function reactionsOf(post: Post): readonly ReactionGroup[] {
    const groups = new Map<string, string[]>();
    for (const {emoji_name: name, user_id: id} of listed(post)) {
        groups.set(name, [...(groups.get(name) ?? []), id]);
    }
    return [...groups].map(([name, userIds]) => ({name, userIds}));
}

export function withReaction(chat: Chat, reaction: Reaction): Chat {
    return changed(chat, reaction.post_id, (all) => (all.some((one) => isSame(one, reaction)) ? all : [...all, reaction]));
}

export function withoutReaction(chat: Chat, reaction: Pick<Reaction, 'post_id' | 'user_id' | 'emoji_name'>): Chat {
    return changed(chat, reaction.post_id, (all) => all.filter((one) => !isSame(one, reaction)));
}

/** What an event tells; null when it is no reaction. */
export function reactionIn(data: Readonly<Record<string, unknown>>): Reaction | null {
    try {
        const value: unknown = JSON.parse(String(data['reaction']));
        const whole = isRecord(value) && ['post_id', 'user_id', 'emoji_name'].every((field) => typeof value[field] === 'string');
        return whole ? value as unknown as Reaction : null;
    } catch {
        return null;
    }
}

function listed(post: Post): readonly Reaction[] {
    return (post.metadata as Partial<Post['metadata']> | undefined)?.reactions ?? [];
}

function isSame(one: Reaction, other: Pick<Reaction, 'user_id' | 'emoji_name'>): boolean {
    return one.user_id === other.user_id && one.emoji_name === other.emoji_name;
}

function changed(chat: Chat, postId: string, next: (all: readonly Reaction[]) => readonly Reaction[]): Chat {
    const post = chat.posts[postId];
    if (!post) {
        return chat;
    }
    const before = listed(post);
    const after = next(before);
    return after.length === before.length ? chat : {...chat, posts: {...chat.posts, [postId]: {...post, metadata: {...post.metadata, reactions: [...after]}}}};
}
