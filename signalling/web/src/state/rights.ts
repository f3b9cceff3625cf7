/** What this person may do, as the server will judge it: so that nothing is offered that it refuses. */
import type {Channel} from '@mattermost/types/channels';
import type {Post} from '@mattermost/types/posts';
import type {UserProfile} from '@mattermost/types/users';
import type {Chat} from './chat';

export function isAdministrator(user: UserProfile | null | undefined): boolean {
    return (user?.roles ?? '').split(' ').includes('system_admin');
}

/** Bring people into the team. */
export function mayInvite(chat: Chat): boolean {
    return isAdministrator(chat.me) || chat.managed.includes(chat.teamId);
}

/** Rename, archive, delete what others wrote. */
export function mayManage(chat: Chat, channelId: string): boolean {
    const channel = chat.channels[channelId];
    if (!channel || isPersonal(channel)) {
        return false;
    }
    return isAdministrator(chat.me) || (chat.memberships[channelId]?.roles ?? '').split(' ').includes('channel_admin');
}

export function mayAddPeople(channel: Channel): boolean {
    return !isPersonal(channel);
}

/** A private channel's members may take others out of it, a public one's only who manages it. */
export function mayRemove(chat: Chat, channel: Channel): boolean {
    return !isPersonal(channel) && !isDefault(channel) && (channel.type === 'P' || mayManage(chat, channel.id));
}

export function mayLeave(channel: Channel): boolean {
    return !isPersonal(channel) && !isDefault(channel);
}

export function mayEdit(chat: Chat, post: Post): boolean {
    return post.user_id === chat.me?.id && post.type === '';
}

export function mayDelete(chat: Chat, post: Post): boolean {
    return post.user_id === chat.me?.id ? !post.type.startsWith('custom_calls') : mayManage(chat, post.channel_id);
}

/** Direct and group messages have their people for good. */
export function isPersonal(channel: Channel): boolean {
    return channel.type === 'D' || channel.type === 'G';
}

/** Nobody leaves the channel that everybody of the team is in. */
export function isDefault(channel: Channel): boolean {
    return channel.name === 'town-square' || channel.name === 'off-topic';
}
