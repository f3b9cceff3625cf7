/**
 * Signing in and out, and loading what the first screen needs.
 *
 * In: credentials, or the cookies of an earlier sign-in. Out: the store filled, the live
 * connection open.
 */
import type {Team} from '@mattermost/types/teams';
import type {UserProfile} from '@mattermost/types/users';
import {Live} from '../api/live';
import {api, describe, isSignedOut, websocketAddress} from '../api/rest';
import {emptyChat} from '../state/chat';
import {fetchReader} from '../state/markdown';
import {initialState, patch, store, updateChat} from '../state/app';
import {leaveCall, rejoinAfterReload} from './call';
import {channelName, loadChannels, openChannel} from './channels';
import {listener, refreshCalls} from './events';
import {inviteIn, isAtThreads, placeOf} from './location';
import {tellLanguage} from './look';
import {loadThreads, openThreads} from './threads';
import {say} from '../words/words';
import {beginPresence, cameOnline, endPresence} from './presence';

let live: Live | null = null;

/** Loads the page: signed in when the cookies say so, else the sign-in form. What it says waits for `words`. */
export async function begin(words: Promise<void> = Promise.resolve()): Promise<void> {
    try {
        // At once, for each round trip is time before the person can begin. `index.html` asks for some of it too.
        const [me] = await Promise.all([api.getMe().catch((error: unknown) => error), loadServerConfig(), readInvitation()]);
        if (me instanceof Error) {
            throw me;
        }
        await enter(me as UserProfile);
    } catch (error) {
        await words;
        patch(isSignedOut(error) ? {phase: 'signed-out'} : {phase: 'unreachable', fault: describe(error)});
    }
}

/** Rejects with the server's refusal. */
export async function signIn(loginId: string, password: string): Promise<void> {
    await enter(await api.login(loginId, password));
}

export interface NewAccount {
    email: string;
    username: string;
    password: string;
    /** What a server without accounts printed when it started; empty for any other. */
    first_account_token: string;
}

/** Creates an account and signs in with it. Rejects with the server's refusal. */
export async function signUp(account: NewAccount): Promise<void> {
    const profile: Partial<UserProfile> = account;
    const {invitation} = store.get();
    await api.createUser(profile, invitation?.secret);
    patch({invitation: invitation && {...invitation, secret: ''}});
    await signIn(account.username, account.password);
}

/** Asks first when that would end a call. */
export function askToSignOut(): void {
    if (store.get().active) {
        patch({question: {kind: 'sign-out'}});
    } else {
        void signOut();
    }
}

export async function signOut(): Promise<void> {
    leaveCall();
    live?.close();
    live = null;
    endPresence();
    await api.logout().catch(() => undefined);
    const {siteName, websocketUrl, signUpAllowed, minPassword, maxFileSize, language, theme, alerts} = store.get();
    store.update(() => ({...initialState, alerts, siteName, websocketUrl, signUpAllowed, minPassword, maxFileSize, language, theme, phase: 'signed-out'}));
    history.replaceState(null, '', '/');
}

/** Somebody came by a link: where it leads, or that it does not any more. */
async function readInvitation(): Promise<void> {
    const secret = inviteIn(location);
    if (secret === '') {
        return;
    }
    try {
        const team = await api.getInvitedTeam(secret);
        patch({invitation: {secret, teamId: team.id, team: team.display_name}});
    } catch (error) {
        patch({fault: describe(error)});
    }
}

/** Into the team of the link, for somebody who has an account. Resolves to what hindered it. */
async function takeInvitation(): Promise<string> {
    const {invitation, fault} = store.get();
    return invitation?.secret ? api.joinByInvite(invitation.secret).then(() => '', describe) : fault;
}

/** A connection may be refused because the sign-in ran out: then ask for it anew. */
async function checkSignedIn(): Promise<void> {
    try {
        await api.getMe();
    } catch (error) {
        if (isSignedOut(error)) {
            await signOut();
            patch({fault: say('sign_expired')});
        }
    }
}

/** The first team of a fresh server. */
export async function createTeam(displayName: string): Promise<void> {
    const team: Partial<Team> = {display_name: displayName.trim(), name: channelName(displayName), type: 'O'};
    await api.createTeam(team);
    await loadEverything();
}

async function loadServerConfig(): Promise<void> {
    const config = await api.getClientConfig().catch((error: unknown) => {
        console.warn('parley: the server shows no client configuration', error);
        return null;
    });
    if (config) {
        patch({
            siteName: config.SiteName || 'Parley',
            websocketUrl: config.WebsocketURL || '',
            noAccounts: config.NoAccounts === 'true',
            firstAccountNeedsToken: (config as Partial<Record<string, string>>)['FirstAccountNeedsToken'] === 'true',
            minPassword: Number(config.PasswordMinimumLength) || 0,
            maxFileSize: Number(config.MaxFileSize) || 0,
            signUpAllowed: config.NoAccounts === 'true' || (config.EnableSignUpWithEmail === 'true' && config.EnableOpenServer === 'true'),
        });
    }
}

async function enter(me: UserProfile): Promise<void> {
    const hindered = inviteIn(location) === '' ? '' : await takeInvitation();
    patch({fault: ''});
    updateChat(() => ({...emptyChat, me, users: {[me.id]: me}}));
    void tellLanguage();
    try {
        await loadEverything();
        patch({fault: hindered});
    } catch (error) {
        if (store.get().phase !== 'ready') {
            throw error;
        }
        // The page stands already; nobody else would say what is missing in it.
        patch({fault: describe(error)});
    }
}

async function loadEverything(): Promise<void> {
    // What the screen cannot do without comes first: a browser asks six things at a time.
    const channels = loadChannels(loadTeams());
    void fetchReader().catch(() => undefined); // asked for again with the messages
    const calls = refreshCalls();
    await channels;
    const chosen = chooseChannel();
    const atThreads = isAtThreads(location);
    patch({phase: 'ready', view: chosen.named ? 'channel' : 'list'});
    live?.close();
    live = new Live({...listener, onOnline: (online) => {
        listener.onOnline(online);
        if (online) {
            cameOnline();
        } else {
            void checkSignedIn();
        }
    }});
    beginPresence(live);
    live.open(websocketAddress(store.get().websocketUrl));
    if (chosen.id !== '') {
        await openFirst(chosen.id, chosen.named);
    }
    if (atThreads) {
        openThreads();
    }
    await calls;
    void loadThreads();
    const rejoined = await rejoinAfterReload();
    if (!rejoined && chosen.joinCall && chosen.id !== '' && !store.get().noCalls) {
        patch({question: {kind: 'lobby', channelId: chosen.id}});
    }
}

/** Resolves to the id of the team that is shown; empty when the person is in none. */
async function loadTeams(): Promise<string> {
    const [teams, memberships] = await Promise.all([api.getMyTeams(), api.getMyTeamMembers().catch(() => [])]);
    updateChat((chat) => ({...chat, teams, managed: memberships.filter((member) => member.scheme_admin).map((member) => member.team_id)}));
    const team = teams.find(({id}) => id === store.get().invitation?.teamId) ?? teams[0];
    patch({invitation: null});
    return team?.id ?? '';
}

async function openFirst(id: string, named: boolean): Promise<void> {
    const opening = openChannel(id);
    if (!named) {
        // On a narrow screen the list comes first; on a wide one both are shown.
        patch({view: 'list'});
    }
    await opening;
}

function chooseChannel(): {id: string; named: boolean; joinCall: boolean} {
    const {channels} = store.get().chat;
    const place = placeOf(location);
    const all = Object.values(channels);
    const named = all.find(({id, name}) => place.channel !== '' && (id === place.channel || name === place.channel));
    if (named) {
        return {id: named.id, named: true, joinCall: place.joinCall};
    }
    const first = all.find(({name}) => name === 'town-square')
        ?? all.filter(({type}) => type === 'O' || type === 'P').sort((a, b) => a.display_name.localeCompare(b.display_name))[0]
        ?? all[0];
    return {id: first?.id ?? '', named: false, joinCall: false};
}
