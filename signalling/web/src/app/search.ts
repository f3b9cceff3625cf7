/** Searching messages, and going to one where it was written. */
import type {Post} from '@mattermost/types/posts';
import {api} from '../api/rest';
import {patch, store, updateChat} from '../state/app';
import {opened} from '../state/chat';
import {within} from '../state/reach';
import {openThread, takePosts} from './channels';
import {showPlace} from './location';
import {needPeople} from './people';

const MOST = 40;
/** Messages before and after the one that is gone to. */
const AROUND = 30;

/** Newest first, of the channels that this person is in. Rejects with the server's refusal. */
export async function searchPosts(terms: string): Promise<readonly Post[]> {
    const {teamId} = store.get().chat;
    const list = await api.searchPosts(teamId, terms, MOST, -60 * new Date().getTimezoneOffset());
    const {channels} = store.get().chat;
    const posts = list.order.map((id) => list.posts[id]).filter((post) => post !== undefined && channels[post.channel_id] !== undefined) as Post[];
    needPeople(posts.map((post) => post.user_id));
    return posts;
}

/** Shows a message in its channel with what was written around it; a reply in its thread as well. */
export async function goToPost(post: Post): Promise<void> {
    const rootId = post.root_id || post.id;
    await loadAround(post.channel_id, rootId);
    updateChat((chat) => ({...opened(chat, post.channel_id), found: rootId}));
    patch({view: 'channel', fault: ''});
    showPlace(post.channel_id);
    if (post.root_id !== '') {
        await openThread(rootId);
        updateChat((chat) => ({...chat, found: post.id}));
    }
}

async function loadAround(channelId: string, postId: string): Promise<void> {
    const {posts, reach} = store.get().chat;
    const known = posts[postId];
    const part = reach[channelId];
    if (known && part?.to === '' && within(known, part, posts)) {
        return;
    }
    const [post, before, after] = await Promise.all([api.getPost(postId), api.getPostsBefore(channelId, postId, 0, AROUND), api.getPostsAfter(channelId, postId, 0, AROUND)]);
    takePosts({...before, posts: {...before.posts, ...after.posts, [post.id]: post}});
    updateChat((chat) => ({
        ...chat,
        reach: {...chat.reach, [channelId]: {from: before.order.at(-1) ?? postId, to: after.next_post_id ? after.order[0] ?? postId : ''}},
        complete: {...chat.complete, [channelId]: !before.prev_post_id},
    }));
}
