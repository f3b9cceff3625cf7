/** Opening channels, reading and writing messages, direct messages. */
import type {Channel} from '@mattermost/types/channels';
import type {PaginatedPostList, Post, PostList} from '@mattermost/types/posts';
import type {UserProfile} from '@mattermost/types/users';
import {api, describe} from '../api/rest';
import {patch, store, updateChat} from '../state/app';
import {opened, teammateId, withChannels, withMemberships, withPosts, withRead, withUsers} from '../state/chat';
import {fetchReader, namesIn} from '../state/markdown';
import {withNewest, type Reach} from '../state/reach';
import {reactionsOf} from '../state/reactions';
import {say} from '../words/words';
import {showPlace} from './location';
import {needPeople, needUsernames} from './people';
import {noteFollowing} from './threads';

export {sendMessage} from './posts';

const PAGE = 60;
const THREAD_PAGE = 200;

/** The channels of a team and those outside of teams. They are asked for while it is not known yet which team. */
export async function loadChannels(team: string | Promise<string>): Promise<void> {
    const [teamId, all, memberships] = await Promise.all([team, api.getAllTeamsChannels(), api.getAllChannelsMembers().catch(() => [])]);
    if (teamId === '') {
        return;
    }
    const channels = all.filter((channel) => channel.delete_at === 0 && (channel.team_id === '' || channel.team_id === teamId));
    const myId = store.get().chat.me?.id ?? '';
    needPeople(channels.filter(({type}) => type === 'D').map((channel) => teammateId(channel, myId)));
    updateChat((chat) => withMemberships(withChannels({...chat, teamId}, channels), memberships));
}

/** Shows a channel; `id` must be one of the loaded channels. */
export async function openChannel(id: string): Promise<void> {
    updateChat((chat) => opened(chat, id));
    patch({view: 'channel', fault: ''});
    showPlace(id);
    await loadPosts(id);
    markRead(id);
}

/** Tells the server, and by it the other windows, that the channel was read. */
export function markRead(channelId: string): void {
    updateChat((chat) => withRead(chat, channelId));
    if (!document.hidden && store.get().chat.channels[channelId]) {
        api.viewMyChannel(channelId).catch(() => undefined); // it is told again with the next message
    }
}

/** The person looks at the page again: what came to the open channel meanwhile is read. */
export function lookAgain(): void {
    const {chat, view} = store.get();
    if (!document.hidden && view === 'channel' && (chat.unread[chat.channelId] ?? 0) > 0) {
        markRead(chat.channelId);
    }
}

export async function loadPosts(channelId: string): Promise<void> {
    await loading(async () => {
        // The first messages may be here before what reads them.
        const [list] = await Promise.all([api.getPosts(channelId, 0, PAGE), fetchReader().catch(() => undefined)]);
        const {reach, posts} = store.get().chat;
        const next = withNewest(reach[channelId], list, posts);
        takePosts(list);
        spread(channelId, next, next === reach[channelId] ? undefined : !list.prev_post_id);
    });
}

/** Returns whether something came. */
export async function loadEarlier(channelId: string): Promise<boolean> {
    const before = store.get().chat.reach[channelId];
    if (!before?.from) {
        return false;
    }
    return loading(async () => {
        const list = await api.getPostsBefore(channelId, before.from, 0, PAGE);
        takePosts(list);
        spread(channelId, {...before, from: list.order.at(-1) ?? before.from}, !list.prev_post_id);
    });
}

/** What was written after an older place that was gone to. */
export async function loadLater(channelId: string): Promise<void> {
    const before = store.get().chat.reach[channelId];
    if (!before?.to) {
        return;
    }
    await loading(async () => {
        const list = await api.getPostsAfter(channelId, before.to, 0, PAGE);
        takePosts(list);
        spread(channelId, {...before, to: list.next_post_id ? list.order[0] ?? '' : ''});
    });
}

/** Back from an older place to what is written now. */
export async function goToNewest(channelId: string): Promise<void> {
    if (store.get().chat.reach[channelId]?.to) {
        await loadPosts(channelId);
    }
    updateChat((chat) => ({...chat, found: ''}));
    markRead(channelId);
}

async function loading(load: () => Promise<void>): Promise<boolean> {
    try {
        await load();
        return true;
    } catch (error) {
        patch({fault: say('chat_not_loaded', {why: describe(error)})});
        return false;
    }
}

function spread(channelId: string, reach: Reach, complete?: boolean): void {
    updateChat((chat) => ({
        ...chat, reach: {...chat.reach, [channelId]: reach},
        complete: complete === undefined ? chat.complete : {...chat.complete, [channelId]: complete},
    }));
}

export async function openThread(rootId: string): Promise<void> {
    updateChat((chat) => ({...chat, threadId: rootId}));
    try {
        let list: PaginatedPostList = await api.getPaginatedPostThread(rootId, {perPage: THREAD_PAGE});
        takePosts(list);
        noteFollowing(list.posts[rootId]);
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
        patch({fault: say('chat_thread_not_loaded', {why: describe(error)})});
    }
}

export function closeThread(): void {
    updateChat((chat) => ({...chat, threadId: ''}));
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
    needPeople(posts.flatMap((post) => [post.user_id, ...reactionsOf(post).flatMap(({userIds}) => userIds)]));
    needUsernames(posts.flatMap((post) => (post.message.includes('@') ? namesIn(post.message) : [])));
    updateChat((chat) => withPosts(chat, posts));
}
