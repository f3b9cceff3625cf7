/** Who is in a channel, and what it is called: members, joining others, leaving, names, archiving. */
import type {Channel} from '@mattermost/types/channels';
import type {UserProfile} from '@mattermost/types/users';
import {api, type CommandOffer} from '../api/rest';
import {announce, store, updateChat} from '../state/app';
import {displayName, withChannels, withoutChannel, withUsers} from '../state/chat';
import {say} from '../words/words';
import {openChannel} from './channels';
import {foundPeople, PEOPLE_PAGE, type PeoplePage} from './people';

/** The people of a channel, from page `page` on. */
export async function findMembers(channelId: string, page = 0): Promise<PeoplePage> {
    const people = known(await api.getProfilesInChannel(channelId, page, PEOPLE_PAGE));
    return {people, more: people.length < PEOPLE_PAGE ? null : () => findMembers(channelId, page + 1), isCut: false};
}

export async function searchMembers(channelId: string, term: string): Promise<PeoplePage> {
    return foundPeople(known(await api.searchUsers(term, {in_channel_id: channelId, limit: PEOPLE_PAGE})));
}

export async function countMembers(channelId: string): Promise<number> {
    return (await api.getChannelStats(channelId)).member_count;
}

/** People of the team who are not in the channel yet. */
export async function searchOthers(channelId: string, term: string): Promise<PeoplePage> {
    const {teamId} = store.get().chat;
    const found = known(await api.searchUsers(term, {team_id: teamId, not_in_channel_id: channelId, limit: PEOPLE_PAGE}));
    return foundPeople(living(found), found);
}

/** People to write to. With an empty term the first of them. */
export async function searchPeople(term: string): Promise<PeoplePage> {
    const found = known(term === '' ? await api.getProfiles(0, PEOPLE_PAGE) : await api.searchUsers(term, {limit: PEOPLE_PAGE}));
    return foundPeople(living(found), found);
}

/** For completing `@…`: by username before by other names, people of the channel before others. */
export async function completePeople(channelId: string, term: string): Promise<UserProfile[]> {
    const {teamId} = store.get().chat;
    const {users, out_of_channel: others = []} = await api.autocompleteUsers(term, teamId, channelId, 8);
    const begins = (user: UserProfile): number => Number(user.username.startsWith(term.toLowerCase()));
    return living(known([...users, ...others])).sort((a, b) => begins(b) - begins(a)).slice(0, 8);
}

/** What may follow what was typed of a command, with its `/`. */
export async function completeCommand(channelId: string, typed: string): Promise<CommandOffer[]> {
    return api.getCommandAutocompleteSuggestionsList(typed, store.get().chat.teamId, {channel_id: channelId, root_id: ''});
}

export async function addMember(channel: Channel, user: UserProfile): Promise<void> {
    await api.addToChannel(user.id, channel.id);
    announce(say('people_added_now', {name: displayName(user)}));
}

export async function removeMember(channel: Channel, user: UserProfile): Promise<void> {
    await api.removeFromChannel(user.id, channel.id);
    announce(say('people_removed_now', {name: displayName(user)}));
}

export async function leaveChannel(channel: Channel): Promise<void> {
    const me = store.get().chat.me;
    if (me) {
        await api.removeFromChannel(me.id, channel.id);
        gone(channel.id);
    }
}

export async function archiveChannel(channel: Channel): Promise<void> {
    await api.deleteChannel(channel.id);
    gone(channel.id);
}

export async function describeChannel(channel: Channel, texts: {display_name: string; header: string; purpose: string}): Promise<void> {
    const changed = await api.patchChannel(channel.id, texts);
    updateChat((chat) => withChannels(chat, [changed]));
}

export async function openGroup(users: readonly UserProfile[]): Promise<void> {
    const channel = await api.createGroupChannel(users.map(({id}) => id));
    updateChat((chat) => withChannels(withUsers(chat, users), [channel]));
    void openChannel(channel.id);
}

function gone(channelId: string): void {
    const wasOpen = store.get().chat.channelId === channelId;
    updateChat((chat) => withoutChannel(chat, channelId));
    if (!wasOpen) {
        return;
    }
    const {channels} = store.get().chat;
    const next = Object.values(channels).find(({name}) => name === 'town-square') ?? Object.values(channels)[0];
    if (next) {
        void openChannel(next.id);
    }
}

function known(users: UserProfile[]): UserProfile[] {
    updateChat((chat) => withUsers(chat, users));
    return users;
}

function living(users: UserProfile[]): UserProfile[] {
    return users.filter((user) => !user.is_bot && user.delete_at === 0);
}
