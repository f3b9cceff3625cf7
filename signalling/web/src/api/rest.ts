/**
 * The messaging API (Mattermost's REST API v4) and the Calls REST routes of the server this page came
 * from: each route that the page uses, under the name it has in Mattermost's own client.
 *
 * Sign-in is kept in the server's cookies; this page holds no token of its own.
 */
import type {Channel, ChannelMembership, ChannelStats, ServerChannel} from '@mattermost/types/channels';
import type {ClientConfig} from '@mattermost/types/config';
import type {PaginatedPostList, Post, PostList} from '@mattermost/types/posts';
import type {Reaction} from '@mattermost/types/reactions';
import type {Session} from '@mattermost/types/sessions';
import type {PreferenceType} from '@mattermost/types/preferences';
import type {Team, TeamMembership} from '@mattermost/types/teams';
import type {UserThreadList, UserThreadWithPost} from '@mattermost/types/threads';
import type {UserProfile, UserStatus} from '@mattermost/types/users';
import {reasonWords} from '../state/reasons';
import {say, type Key} from '../words/words';
import {request, ServerRefusal, withQuery} from './http';

const V4 = '/api/v4';
const CALLS = '/plugins/com.mattermost.calls';
const PER_PAGE = 60;

const get = <T>(path: string): Promise<T> => request<T>('GET', V4 + path);
const post = <T>(path: string, body?: unknown): Promise<T> => request<T>('POST', V4 + path, body);
const put = <T>(path: string, body: unknown): Promise<T> => request<T>('PUT', V4 + path, body);
const remove = (path: string): Promise<unknown> => request('DELETE', V4 + path);
const part = encodeURIComponent;

export const api = {
    /** A Calls route; `body` makes it a POST. */
    calls: (path: string, body?: Record<string, unknown>): Promise<unknown> => request(body ? 'POST' : 'GET', CALLS + path, body),
    /** The text of a file. */
    fileText: async (fileId: string): Promise<string> => {
        const answer = await fetch(fileUrl(fileId), {credentials: 'include'});
        if (!answer.ok) {
            throw new ServerRefusal(answer.status, '', `the server answered ${answer.status}`);
        }
        return answer.text();
    },
    /** Recordings and transcripts that are being made; of ours only, for administrators. */
    readJobs: () => get<Record<string, unknown>>('/admin/jobs'),
    /** All calls of the server, its health, the nodes that it sees and what it keeps; the same. */
    readAllCalls: () => get<unknown>('/admin/calls'),
    readHealth: () => get<Record<string, unknown>>('/admin/health'),
    readNodes: () => get<Record<string, unknown>>('/admin/nodes'),
    /** Accounts of a list (CSV), all of them or none, as the command line makes them. */
    importUsers: (csv: string) => post<unknown>('/users/import', {csv}),
    readStorage: () => get<Record<string, unknown>>('/admin/storage'),
    getFilesRoute: (): string => `${V4}/files`,

    getClientConfig: () => get<Partial<ClientConfig>>('/config/client?format=old'),
    login: (login_id: string, password: string) => post<UserProfile>('/users/login', {login_id, password}),
    logout: () => post('/users/logout'),
    getMe: () => get<UserProfile>('/users/me'),
    /** `iid` is the secret of an invitation; empty without one. */
    createUser: (user: Partial<UserProfile>, iid = '') => post<UserProfile>(iid === '' ? '/users' : withQuery('/users', {iid}), user),
    patchMe: (names: Partial<UserProfile>) => put<UserProfile>('/users/me/patch', names),
    removePicture: (id: string) => remove(`/users/${part(id)}/image`),
    updateUserPassword: (id: string, current_password: string, new_password: string) => put(`/users/${part(id)}/password`, {current_password, new_password}),
    updateUserRoles: (id: string, roles: string) => put(`/users/${part(id)}/roles`, {roles}),
    updateUserActive: (id: string, active: boolean) => put(`/users/${part(id)}/active`, {active}),
    getSessions: (id: string) => get<Session[]>(`/users/${part(id)}/sessions`),
    revokeSession: (id: string, session_id: string) => post(`/users/${part(id)}/sessions/revoke`, {session_id}),
    revokeAllSessionsForUser: (id: string) => post(`/users/${part(id)}/sessions/revoke/all`),

    getUser: (id: string) => get<UserProfile>(`/users/${part(id)}`),
    /** Those who may sign in; for administrators also those who were shut out, instead. */
    getProfiles: (page: number, per_page: number, shutOut = false) => get<UserProfile[]>(withQuery('/users', {page, per_page, ...(shutOut ? {inactive: true} : {})})),
    getProfilesInChannel: (in_channel: string, page: number, per_page: number) => get<UserProfile[]>(withQuery('/users', {in_channel, page, per_page})),
    getProfilesByIds: (ids: readonly string[]) => post<UserProfile[]>('/users/ids', ids),
    getProfilesByUsernames: (names: readonly string[]) => post<UserProfile[]>('/users/usernames', names),
    searchUsers: (term: string, filter: {team_id?: string; in_channel_id?: string; not_in_channel_id?: string; allow_inactive?: boolean; limit: number}) => post<UserProfile[]>('/users/search', {term, ...filter}),
    autocompleteUsers: (name: string, in_team: string, in_channel: string, limit: number) => get<{users: UserProfile[]; out_of_channel?: UserProfile[]}>(withQuery('/users/autocomplete', {in_team, in_channel, name, limit})),
    getTotalUsersStats: () => get<{total_users_count: number}>('/users/stats'),
    getStatusesByIds: (ids: readonly string[]) => post<UserStatus[]>('/users/status/ids', ids),
    updateStatus: (status: {user_id: string; status: string}) => put<UserStatus>(`/users/${part(status.user_id)}/status`, status),

    getMyTeams: () => get<Team[]>('/users/me/teams'),
    getMyTeamMembers: () => get<TeamMembership[]>('/users/me/teams/members'),
    makeInvite: (teamId: string, terms: {expires_in_seconds: number; max_uses: number}) => post<Invite>(`/teams/${part(teamId)}/invites`, terms),
    getInvites: (teamId: string) => get<Invite[]>(`/teams/${part(teamId)}/invites`),
    withdrawInvite: (teamId: string, id: string) => remove(`/teams/${part(teamId)}/invites/${part(id)}`),
    /** Where an invitation leads, for whoever holds it. */
    getInvitedTeam: (secret: string) => get<Pick<Team, 'id' | 'name' | 'display_name'>>(`/teams/invite/${part(secret)}`),
    joinByInvite: (invite_id: string) => post<TeamMembership>(withQuery('/teams/members/invite', {invite_id})),
    createTeam: (team: Partial<Team>) => post<Team>('/teams', team),

    getAllTeamsChannels: () => get<ServerChannel[]>('/users/me/channels'),
    getAllChannelsMembers: () => get<ChannelMembership[]>('/users/me/channel_members'),
    getMyChannelMember: (id: string) => get<ChannelMembership>(`/channels/${part(id)}/members/me`),
    getChannels: (teamId: string, page: number, per_page: number) => get<Channel[]>(withQuery(`/teams/${part(teamId)}/channels`, {page, per_page})),
    getChannel: (id: string) => get<ServerChannel>(`/channels/${part(id)}`),
    getChannelStats: (id: string) => get<ChannelStats>(`/channels/${part(id)}/stats`),
    createChannel: (channel: Partial<Channel>) => post<ServerChannel>('/channels', channel),
    createDirectChannel: (ids: readonly string[]) => post<ServerChannel>('/channels/direct', ids),
    createGroupChannel: (ids: readonly string[]) => post<ServerChannel>('/channels/group', ids),
    patchChannel: (id: string, texts: Partial<Channel>) => put<ServerChannel>(`/channels/${part(id)}/patch`, texts),
    deleteChannel: (id: string) => remove(`/channels/${part(id)}`),
    unarchiveChannel: (id: string) => post<ServerChannel>(`/channels/${part(id)}/restore`),
    searchAllChannels: (term: string, per_page: number) => post<ServerChannel[]>('/channels/search', {term, page: 0, per_page, include_deleted: true}),
    /** Whether its threads are read as well depends on what the person prefers. */
    viewMyChannel: (channel_id: string) => post('/channels/members/me/view', {channel_id, collapsed_threads_supported: true}),
    addToChannel: (user_id: string, id: string) => post<ChannelMembership>(`/channels/${part(id)}/members`, {user_id}),
    removeFromChannel: (userId: string, id: string) => remove(`/channels/${part(id)}/members/${part(userId)}`),

    getPosts: (channelId: string, page = 0, per_page = PER_PAGE) => get<PostList>(withQuery(`/channels/${part(channelId)}/posts`, {page, per_page})),
    getPostsBefore: (channelId: string, before: string, page = 0, per_page = PER_PAGE) => get<PostList>(withQuery(`/channels/${part(channelId)}/posts`, {before, page, per_page})),
    getPostsAfter: (channelId: string, after: string, page = 0, per_page = PER_PAGE) => get<PostList>(withQuery(`/channels/${part(channelId)}/posts`, {after, page, per_page})),
    getPost: (id: string) => get<Post>(`/posts/${part(id)}`),
    searchPosts: (teamId: string, terms: string, per_page: number, time_zone_offset: number) => post<PostList>(`/teams/${part(teamId)}/posts/search`, {terms, is_or_search: false, page: 0, per_page, time_zone_offset}),
    getPaginatedPostThread: (id: string, options: {perPage: number; fromPost?: string; fromCreateAt?: number}) => get<PaginatedPostList>(withQuery(`/posts/${part(id)}/thread`, {direction: 'down', collapsedThreads: true, ...options})),
    getThreads: (teamId: string, per_page: number, before?: string) => get<UserThreadList>(withQuery(`/users/me/teams/${part(teamId)}/threads`, {per_page, before})),
    getThread: (teamId: string, id: string) => get<UserThreadWithPost>(`/users/me/teams/${part(teamId)}/threads/${part(id)}`),
    followThread: (teamId: string, id: string) => put(`/users/me/teams/${part(teamId)}/threads/${part(id)}/following`, {}),
    unfollowThread: (teamId: string, id: string) => remove(`/users/me/teams/${part(teamId)}/threads/${part(id)}/following`),
    /** Read up to a time, in epoch ms. */
    readThread: (teamId: string, id: string, until: number) => put<UserThreadWithPost>(`/users/me/teams/${part(teamId)}/threads/${part(id)}/read/${until}`, {}),
    /** Unread from a message of it on. */
    markThreadUnread: (teamId: string, id: string, from: string) => post<UserThreadWithPost>(`/users/me/teams/${part(teamId)}/threads/${part(id)}/set_unread/${part(from)}`),
    readAllThreads: (teamId: string) => put(`/users/me/teams/${part(teamId)}/threads/read`, {}),
    getPreferences: (category: string) => get<PreferenceType[]>(`/users/me/preferences/${part(category)}`),
    savePreferences: (preferences: readonly PreferenceType[]) => put('/users/me/preferences', preferences),
    createPost: (written: Partial<Post>) => post<Post>('/posts', written),
    patchPost: ({id, message}: {id: string; message: string}) => put<Post>(`/posts/${part(id)}/patch`, {id, message}),
    deletePost: (id: string) => remove(`/posts/${part(id)}`),
    addReaction: (reaction: Pick<Reaction, 'user_id' | 'post_id' | 'emoji_name'>) => post<Reaction>('/reactions', reaction),
    removeReaction: (userId: string, postId: string, name: string) => remove(`/users/${part(userId)}/posts/${part(postId)}/reactions/${part(name)}`),
    getCommandAutocompleteSuggestionsList: (userInput: string, teamId: string, place: {channel_id: string; root_id: string}) => get<CommandOffer[]>(withQuery(`/teams/${part(teamId)}/commands/autocomplete_suggestions`, {user_input: userInput, ...place})),
    executeCommand: (command: string, place: {channel_id: string; root_id: string; team_id: string}) => post('/commands/execute', {command, ...place}),
};

/** A way into a team; `url` is told only to who makes it. */
export interface Invite {
    id: string;
    team_id: string;
    create_at: number;
    expires_at: number;
    /** 0 for any number. */
    max_uses: number;
    uses: number;
    is_good: boolean;
    url?: string;
}

/** A command, or what may follow one, that fits what was typed. */
export interface CommandOffer {
    /** The whole line, without its `/`. */
    Complete: string;
    Suggestion: string;
    Hint: string;
    /** In English. */
    Description: string;
}

export function fileUrl(fileId: string, download = false): string {
    return `/api/v4/files/${encodeURIComponent(fileId)}${download ? '?download=1' : ''}`;
}

/** `changedAt` makes a new picture a new address. */
export function pictureUrl(userId: string, changedAt: number): string {
    return `${V4}/users/${part(userId)}/image?_=${changedAt}`;
}

/** Where both WebSockets connect; `configured` replaces scheme and host when the server names one. */
export function websocketAddress(configured: string): string {
    const own = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`;
    return `${configured.replace(/\/+$/, '') || own}/api/v4/websocket`;
}

export function isSignedOut(error: unknown): boolean {
    return error instanceof ServerRefusal && error.status === 401;
}

export function isForbidden(error: unknown): boolean {
    return error instanceof ServerRefusal && error.status === 403;
}

export function isMissing(error: unknown): boolean {
    return error instanceof ServerRefusal && error.status === 404;
}

/** What was sent breaks a rule of its kind; for what has several, the server names none. */
export function isInvalid(error: unknown): boolean {
    return error instanceof ServerRefusal && error.id === 'api.context.invalid_body_param.app_error';
}

export function isUnreachable(error: unknown): boolean {
    return error instanceof TypeError;
}

/** What a list of people breaks, in the server's words; empty for another error. */
export function listMistakes(error: unknown): string {
    return error instanceof ServerRefusal && error.id === 'api.user.import.invalid_list.app_error' ? error.message : '';
}

/** What the server refuses, in our words: its own are for programs, and in English only. */
export const REFUSALS: Readonly<Record<string, Key>> = {
    'api.user.login.invalid_credentials_email_username': 'sign_wrong',
    'api.team.invite.not_good.app_error': 'sign_invite_over',
    'api.context.session_expired.app_error': 'sign_expired',
    'api.context.rate_limit.app_error': 'chat_why_fast',
    'api.upload.busy.app_error': 'chat_why_fast',
    'api.context.permissions.app_error': 'chat_why_forbidden',
    'store.not_found.app_error': 'chat_why_gone',
    'api.post.create_post.root_id.app_error': 'chat_why_gone',
    'store.sql_user.save.username_exists.app_error': 'sign_why_taken',
    'app.team.save.existing.app_error': 'sign_why_team_taken',
    'model.user.is_valid.pwd_min_length.app_error': 'sign_why_password_short',
    'model.user.is_valid.pwd_max_length.app_error': 'sign_why_password_long',
    'model.user.is_valid.pwd.app_error': 'sign_why_password_common',
    'model.user.is_valid.username.app_error': 'sign_why_username',
    'model.user.is_valid.email.app_error': 'sign_why_email',
    'model.post.is_valid.message_length.app_error': 'chat_why_long',
    'model.post.is_valid.file_ids.app_error': 'chat_why_many_files',
    'api.post.create_post.attach_files.error': 'chat_why_file_gone',
    'api.file.upload_file.too_many.app_error': 'chat_why_many_files',
    'api.file.upload.read.app_error': 'chat_why_offline',
    'api.file.too_large.app_error': 'chat_why_large_file',
    'api.file.no_room.app_error': 'chat_why_no_room',
    'api.file.name.app_error': 'chat_why_file_name',
    'app.reaction.save.save.too_many_reactions': 'chat_why_many_reactions',
};

let refusals = REFUSALS;

/** What is refused to dialogs only; its words come with them. */
export function learnRefusals(more: Readonly<Record<string, Key>>): void {
    refusals = {...refusals, ...more};
}

/** An error in words for the person: what was refused, or that nobody answered. */
export function describe(error: unknown): string {
    if (isUnreachable(error)) {
        return say('chat_why_offline');
    }
    if (!(error instanceof ServerRefusal)) {
        return say('chat_why_unknown');
    }
    const known = refusals[error.id];
    // Routes of calls have no ids: there the text is what is stable.
    const words = known ? say(known) : reasonWords(error.message);
    if (words !== '') {
        return words;
    }
    switch (error.status) {
    case 401:
        return say('sign_expired');
    case 403:
        return say('chat_why_forbidden');
    case 404:
        return say('chat_why_gone');
    case 413:
        return say('chat_why_large_file');
    case 429:
        return say('chat_why_fast');
    default:
        console.warn('parley: the server refused', error.id, error.message);
        return say(error.status >= 500 ? 'chat_why_broken' : 'chat_why_unknown');
    }
}
