/** Applies what the live connection announces: messages, channels, people, calls elsewhere. */
import type {Post} from '@mattermost/types/posts';
import type {UserProfile} from '@mattermost/types/users';
import {fetchCall, fetchCalls, fetchCallsConfig} from '../api/calls';
import type {LiveListener} from '../api/live';
import {api, isMissing} from '../api/rest';
import {ACTION_PREFIX, isRecord} from '../peer/record';
import {patch, store, updateChat, updatePresence} from '../state/app';
import {isCallPost, readCallPost} from '../state/callpost';
import {applyCallsEvent, recordingFaults, withJob, type Call, type Calls} from '../state/calls';
import {withArrival, withChannels, withoutChannel, withoutPost, withPosts, withRead, withUsers} from '../state/chat';
import {namesIn} from '../state/markdown';
import {typingPlace, withoutTypist, withStatuses} from '../state/presence';
import {reactionIn, withoutReaction, withReaction} from '../state/reactions';
import {loadChannels, loadPosts, markRead, openThread} from './channels';
import {needPeople, needUsernames} from './people';
import {forgetThreads, loadThreads, reloadThread, takePreferences, threadEvent} from './threads';
import {heardTyping} from './presence';

export const listener: LiveListener = {
    // What failed while the server was away is loaded again now.
    onOnline: (online) => patch(online && !store.get().online ? {online, fault: ''} : {online}),
    onGap: () => void reloadShown(),
    onEvent: (name, data, channelId) => {
        if (name.startsWith(ACTION_PREFIX)) {
            callElsewhere(name.slice(ACTION_PREFIX.length), channelId, data);
        } else {
            chatEvent(name, data, channelId);
        }
    },
};

/** Asks what the server allows, unless known, and which calls run. */
export async function refreshCalls(): Promise<void> {
    try {
        const known = store.get().callsConfig;
        const calls: Record<string, Calls[string]> = {};
        const [callsConfig, found] = await Promise.all([known ?? fetchCallsConfig(), fetchCalls()]);
        patch({callsConfig, noCalls: false});
        found.calls.forEach((call) => {
            calls[call.channelId] = call;
        });
        patch({callsOff: Object.fromEntries(found.off.map((id) => [id, true]))});
        const {active} = store.get();
        store.update((state) => {
            // The own call is known better from its own socket.
            const own = active ? state.calls[active.channelId] : undefined;
            return {...state, calls: own ? {...calls, [own.channelId]: own} : calls};
        });
        needPeople(Object.values(calls).flatMap((call) => Object.values(call.sessions).map(({userId}) => userId)));
    } catch (error) {
        if (isMissing(error)) {
            // There is no such route: this server has no calls. It may have them when it comes back.
            patch({noCalls: true, callsConfig: null, calls: {}, callsOff: {}});
            return;
        }
        console.warn('parley: running calls could not be listed', error);
    }
}

/** What the server can do may have changed since the page asked. */
export async function refreshConfig(): Promise<void> {
    try {
        patch({callsConfig: await fetchCallsConfig()});
    } catch (error) {
        console.warn('parley: the configuration of calls could not be read again', error);
    }
}

async function reloadShown(): Promise<void> {
    const {channelId, threadId, teamId} = store.get().chat;
    await refreshCalls();
    if (teamId) {
        await loadChannels(teamId).catch(() => undefined);
    }
    if (channelId) {
        await loadPosts(channelId);
    }
    if (threadId) {
        await openThread(threadId);
    }
    await loadThreads();
}

function callElsewhere(name: string, channelId: string, data: Record<string, unknown>): void {
    const {active, calls} = store.get();
    switch (name) {
    case 'user_dismissed_notification':
        takeCallsEvent(name, channelId, data);
        return;
    case 'channel_enable_voice':
    case 'channel_disable_voice':
        patch({callsOff: {...store.get().callsOff, [channelId]: name === 'channel_disable_voice'}});
        return;
    default:
        break;
    }
    if (channelId === '' || active?.channelId === channelId) {
        return; // the own call's events come over its own socket
    }
    if (!calls[channelId] && name === 'user_joined') {
        void fetchCall(channelId).then((call) => {
            if (call) {
                store.update((state) => ({...state, calls: {...state.calls, [channelId]: call}}));
            }
        }).catch(() => undefined);
        return;
    }
    takeCallsEvent(name, channelId, data);
}

/** Applies an event to the calls, and looks up whom it names. */
export function takeCallsEvent(name: string, channelId: string, data: Record<string, unknown>): void {
    store.update((state) => {
        const calls = applyCallsEvent(state.calls, name, channelId, data);
        return calls === state.calls ? state : {...state, calls};
    });
    const call = store.get().calls[channelId];
    if (call) {
        needPeople([...Object.values(call.sessions).map(({userId}) => userId), call.hostId]);
    }
    if (name === 'call_job_state' || name === 'call_state') {
        keepOutcome(channelId, call, data);
    }
}

/** The call's state goes with the call, and its post says neither how far its recording is nor why something is missing. */
function keepOutcome(channelId: string, call: Call | undefined, data: Record<string, unknown>): void {
    const postId = call?.postId ?? newestPending(channelId);
    const told = call ?? withJob(data['jobState']);
    if (!told || postId === '') {
        return;
    }
    const {recordFaults, recordProgress} = store.get();
    const faults = recordingFaults(told);
    if (faults.length > 0) {
        patch({recordFaults: {...recordFaults, [postId]: faults}});
    }
    const progress = told.recording?.progress ?? null;
    if (progress !== null && progress !== recordProgress[postId]) {
        patch({recordProgress: {...recordProgress, [postId]: progress}});
    }
}

/** The call's post whose recording is awaited; empty when there is none. */
function newestPending(channelId: string): string {
    const posts = Object.values(store.get().chat.posts).filter((post) => post.channel_id === channelId && isCallPost(post) && readCallPost(post).pending.recordings > 0);
    return posts.sort((a, b) => b.create_at - a.create_at)[0]?.id ?? '';
}

function chatEvent(name: string, data: Record<string, unknown>, channelId: string): void {
    switch (name) {
    case 'posted':
    case 'ephemeral_message':
        arrived(postIn(data), String(data['mentions'] ?? '').includes(store.get().chat.me?.id ?? ' '));
        break;
    case 'typing':
        heardTyping(channelId, String(data['parent_id'] ?? ''), String(data['user_id'] ?? ''));
        break;
    case 'status_change':
        updatePresence((presence) => withStatuses(presence, [{userId: String(data['user_id'] ?? ''), status: String(data['status'] ?? '')}]));
        break;
    case 'multiple_channels_viewed':
        Object.keys(isRecord(data['channel_times']) ? data['channel_times'] : {}).forEach((id) => updateChat((chat) => withRead(chat, id)));
        break;
    case 'user_updated':
        changedPerson(data['user']);
        break;
    case 'post_edited': {
        const post = postIn(data);
        if (post) {
            updateChat((chat) => withPosts(chat, [post]));
        }
        break;
    }
    case 'reaction_added':
    case 'reaction_removed': {
        const reaction = reactionIn(data);
        if (reaction) {
            needPeople([reaction.user_id]);
            updateChat((chat) => (name === 'reaction_added' ? withReaction : withoutReaction)(chat, reaction));
        }
        break;
    }
    case 'post_deleted': {
        const post = postIn(data);
        if (post) {
            updateChat((chat) => withoutPost(chat, post.id));
            reloadThread(post.root_id || post.id);
        }
        break;
    }
    case 'thread_updated':
    case 'thread_follow_changed':
    case 'thread_read_changed':
        threadEvent(name, data, channelId);
        break;
    case 'preferences_changed':
        takePreferences(data['preferences']);
        break;
    case 'user_added':
    case 'direct_added':
    case 'group_added':
    case 'channel_created':
    case 'channel_updated':
        void addChannel(channelId || String(data['channel_id'] ?? ''), name === 'user_added' ? data['user_id'] : null);
        break;
    case 'user_removed':
        if (data['user_id'] === store.get().chat.me?.id || data['channel_id'] !== undefined) {
            removedFrom(String(data['channel_id'] ?? channelId), data['user_id']);
        }
        break;
    case 'channel_deleted':
        forgetChannel(String(data['channel_id'] ?? channelId));
        break;
    default:
        break;
    }
}

function arrived(post: Post | null, namesMe: boolean): void {
    if (!post) {
        return;
    }
    needPeople([post.user_id]);
    needUsernames(post.message.includes('@') ? namesIn(post.message) : []);
    updatePresence((presence) => withoutTypist(presence, typingPlace(post.channel_id, post.root_id), post.user_id));
    const {chat, view} = store.get();
    const open = chat.channelId === post.channel_id && view === 'channel';
    const seen = open && !document.hidden && document.hasFocus();
    updateChat((before) => withArrival(before, post, seen, namesMe));
    if (seen && post.user_id !== chat.me?.id) {
        markRead(post.channel_id);
    }
    if (!chat.channels[post.channel_id]) {
        void addChannel(post.channel_id, null);
    }
}

async function addChannel(channelId: string, userId: unknown): Promise<void> {
    const myId = store.get().chat.me?.id ?? '';
    if (channelId === '' || (userId !== null && userId !== myId)) {
        return;
    }
    try {
        const channel = await api.getChannel(channelId);
        if (channel.type === 'D') {
            needPeople(channel.name.split('__'));
        }
        updateChat((chat) => withChannels(chat, [channel]));
    } catch (error) {
        console.warn('parley: a channel could not be read', error);
    }
}

function removedFrom(channelId: string, userId: unknown): void {
    // The event to the removed person carries the channel in its data; others see it in the broadcast.
    const myId = store.get().chat.me?.id;
    if (userId === myId || userId === undefined) {
        forgetChannel(channelId);
    }
}

function forgetChannel(channelId: string): void {
    updateChat((chat) => withoutChannel(chat, channelId));
    forgetThreads(channelId);
}

/** The event tells only what others may see: what is known of oneself beyond that stays. */
function changedPerson(user: unknown): void {
    if (isRecord(user) && typeof user['id'] === 'string') {
        const {id} = user;
        updateChat((chat) => {
            const before = chat.users[id];
            const after = {...before, ...user} as UserProfile;
            const next = before ? withUsers(chat, [after]) : chat;
            return chat.me?.id === id ? {...next, me: {...chat.me, ...user, email: chat.me.email} as UserProfile} : next;
        });
    }
}

function postIn(data: Record<string, unknown>): Post | null {
    try {
        const post = JSON.parse(String(data['post'])) as Partial<Post> | null;
        return post && typeof post.id === 'string' && typeof post.channel_id === 'string' ? post as Post : null;
    } catch {
        return null;
    }
}
