/** A person answers a message with an emoji, or takes that back. */
import type {Post} from '@mattermost/types/posts';
import {api, describe} from '../api/rest';
import {patch, store, updateChat} from '../state/app';
import {reactionsOf, withoutReaction, withReaction} from '../state/reactions';
import {say} from '../words/words';

export async function toggleReaction(post: Post, name: string): Promise<void> {
    const myId = store.get().chat.me?.id ?? '';
    const mine = reactionsOf(post).some((group) => group.name === name && group.userIds.includes(myId));
    const reaction = {user_id: myId, post_id: post.id, emoji_name: name};
    try {
        if (mine) {
            await api.removeReaction(myId, post.id, name);
            updateChat((chat) => withoutReaction(chat, reaction));
        } else {
            const kept = await api.addReaction(reaction);
            updateChat((chat) => withReaction(chat, kept));
        }
    } catch (error) {
        patch({fault: say('chat_not_done', {why: describe(error)})});
    }
}
