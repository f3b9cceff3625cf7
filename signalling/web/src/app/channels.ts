/** Opening channels, reading and writing messages, direct messages. */
import type {Channel} from '@mattermost/types/channels';
import type {PaginatedPostList, Post, PostList} from '@mattermost/types/posts';
import type {UserProfile} from '@mattermost/types/users';
import {api, describe} from '../api/rest';
import {patch, store, updateChat} from '../state/app';
import {opened, teammateId, withChannels, withPosts, withUsers} from '../state/chat';
import {showPlace} from './location';
import {needPeople} from './people';

const PAGE = 60;
const THREAD_PAGE = 200;

export async function loadChannels(teamId: string): Promise<void> {
    const channels = (await api.getMyChannels(teamId)).filter((channel) => channel.delete_at === 0);
    const myId = store.get().chat.me?.id ?? '';
    needPeople(channels.filter(({type}) => type === 'D').map((channel) => teammateId(channel, myId)));
    updateChat((chat) => withChannels({...chat, teamId}, channels));
}

/** Shows a channel; `id` must be one of the loaded channels. */
export async function openChannel(id: string): Promise<void> {
    updateChat((chat) => opened(chat, id));
    patch({view: 'channel', fault: ''});
    showPlace(id);
    await loadPosts(id);
}

export async function loadPosts(channelId: string): Promise<void> {
    try {
        const list = await api.getPosts(channelId, 0, PAGE);
        takePosts(list);
        if (!list.prev_post_id) {
            updateChat((chat) => ({...chat, complete: {...chat.complete, [channelId]: true}}));
        }
    } catch (error) {
        patch({fault: `The messages could not be loaded. ${describe(error)}`});
    }
}

export async function loadEarlier(channelId: string): Promise<void> {
    const oldest = store.get().chat.postIds[channelId]?.[0];
    if (!oldest) {
        return;
    }
    try {
        const list = await api.getPostsBefore(channelId, oldest, 0, PAGE);
        takePosts(list);
        if (!list.prev_post_id) {
            updateChat((chat) => ({...chat, complete: {...chat.complete, [channelId]: true}}));
        }
    } catch (error) {
        patch({fault: `Earlier messages could not be loaded. ${describe(error)}`});
    }
}

export async function openThread(rootId: string): Promise<void> {
    updateChat((chat) => ({...chat, threadId: rootId}));
    try {
        let list: PaginatedPostList = await api.getPaginatedPostThread(rootId, {perPage: THREAD_PAGE});
        takePosts(list);
        // an answer holds a part of a long thread
        while (list.has_next && store.get().chat.threadId === rootId) {
            const last = list.posts[list.order.at(-1) ?? ''];
            if (!last || last.id === rootId) {
                break;
            }
            list = await api.getPaginatedPostThread(rootId, {perPage: THREAD_PAGE, fromPost: last.id, fromCreateAt: last.create_at});
            takePosts(list);
        }
    } catch (error) {
        patch({fault: `The thread could not be loaded. ${describe(error)}`});
    }
}

export function closeThread(): void {
    updateChat((chat) => ({...chat, threadId: ''}));
}

/** Resolves to false when the message was not taken; the reason is shown. */
export async function sendMessage(channelId: string, rootId: string, message: string): Promise<boolean> {
    try {
        const post = await api.createPost({channel_id: channelId, root_id: rootId, message});
        updateChat((chat) => withPosts(chat, [post]));
        patch({fault: ''});
        return true;
    } catch (error) {
        patch({fault: `Your message was not sent. ${describe(error)}`});
        return false;
    }
}

export async function openDirect(user: UserProfile): Promise<void> {
    const me = store.get().chat.me;
    if (!me) {
        return;
    }
    const channel = await api.createDirectChannel([me.id, user.id]);
    updateChat((chat) => withChannels(withUsers(chat, [user]), [channel]));
    void openChannel(channel.id);
}

/** People to start a direct message with. */
export async function findPeople(): Promise<UserProfile[]> {
    const users = await api.getProfiles(0, 200);
    updateChat((chat) => withUsers(chat, users));
    return users.filter((user) => !user.is_bot && user.delete_at === 0);
}

export async function createChannel(displayName: string, isPrivate: boolean): Promise<void> {
    const {teamId} = store.get().chat;
    const channel = await api.createChannel({
        team_id: teamId,
        name: channelName(displayName),
        display_name: displayName.trim(),
        type: isPrivate ? 'P' : 'O',
    });
    updateChat((chat) => withChannels(chat, [channel]));
    void openChannel(channel.id);
}

/** A channel's name in addresses: lower case, digits and dashes. */
export function channelName(displayName: string): string {
    const name = displayName.toLowerCase().normalize('NFKD').replace(/[^a-z0-9]+/g, '-').replace(/^-+|-+$/g, '').slice(0, 64);
    return name.length > 1 ? name : `channel-${Date.now().toString(36)}`;
}

/** Public channels of the team that this person has not joined. */
export async function findChannels(): Promise<Channel[]> {
    const {teamId, channels} = store.get().chat;
    const found = await api.getChannels(teamId, 0, 200);
    return found.filter((channel) => !channels[channel.id] && channel.delete_at === 0);
}

export async function joinChannel(channel: Channel): Promise<void> {
    const me = store.get().chat.me;
    if (me) {
        await api.addToChannel(me.id, channel.id);
        updateChat((chat) => withChannels(chat, [channel]));
        void openChannel(channel.id);
    }
}

export function takePosts(list: PostList): void {
    const posts: Post[] = Object.values(list.posts).filter((post) => post.delete_at === 0);
    needPeople(posts.map((post) => post.user_id));
    updateChat((chat) => withPosts(chat, posts));
}
