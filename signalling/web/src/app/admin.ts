/** What an administrator does about people, channels and calls. The server checks every right. */
import type {Channel} from '@mattermost/types/channels';
import type {UserProfile} from '@mattermost/types/users';
import {api, listMistakes} from '../api/rest';
import {isRecord} from '../peer/record';
import {updateChat} from '../state/app';
import {withUsers} from '../state/chat';
import {listOf, type ListedPerson, type NewPerson} from '../state/csv';
import {parseNodes, type Nodes} from '../state/nodes';
import {foundPeople, PEOPLE_PAGE, type PeoplePage} from './people';

/** As many as the server hands out at once. */
const MOST_CHANNELS = 200;

/** Everybody with an account: who may sign in, and then those who were shut out, from page `page` of either on. */
export async function listAccounts(shutOut = false, page = 0): Promise<PeoplePage> {
    const users = await api.getProfiles(page, PEOPLE_PAGE, shutOut);
    const people = shown(users);
    if (users.length === PEOPLE_PAGE) {
        return {people, more: () => listAccounts(shutOut, page + 1), isCut: false};
    }
    if (shutOut) {
        return {people, more: null, isCut: false};
    }
    const out = await listAccounts(true);
    return {...out, people: [...people, ...out.people]};
}

/** Those who were shut out as well. */
export async function searchAccounts(term: string): Promise<PeoplePage> {
    if (term === '') {
        return listAccounts();
    }
    const found = await api.searchUsers(term, {allow_inactive: true, limit: PEOPLE_PAGE});
    return foundPeople(shown(found), found);
}

export async function countAccounts(): Promise<number> {
    return (await api.getTotalUsersStats()).total_users_count;
}

export async function createAccount(person: NewPerson): Promise<UserProfile> {
    const profile: Partial<UserProfile> & {password: string} = {...person};
    return api.createUser(profile);
}

export interface Created {
    username: string;
    /** Made up here, to be handed over; empty when it was given. */
    password: string;
    /** Empty when all was done. */
    refusal: string;
    /** There was such an account: it is left as it is. */
    exists: boolean;
}

/** What the server alone can know of a line of a list. */
export interface ListRefusal {
    /** 0 when it is about the whole list. */
    line: number;
    /** In the server's words. */
    text: string;
    /** For which the page has words of its own. */
    isEasyPassword: boolean;
}

/** The text is what is stable: a list is refused as one, and with one id. */
export const EASY_PASSWORD = /^the password .*: choose another/;

/** As many as the server takes at once: each password takes a while to hash. */
const MOST_IMPORTED = 200;

/**
 * As the command line does it: a part with a mistake is refused whole. `onDone` hears of each person. Resolves to what
 * the server has against the list, with the lines of the list; empty when all of it was taken.
 */
export async function importAccounts(people: readonly ListedPerson[], onDone: (created: Created) => void): Promise<readonly ListRefusal[]> {
    for (let at = 0; at < people.length; at += MOST_IMPORTED) {
        const part = people.slice(at, at + MOST_IMPORTED);
        try {
            const answer = await api.importUsers(listOf(part));
            (Array.isArray(answer) ? answer as unknown[] : []).filter(isRecord).forEach((row) => onDone({
                username: text(row['username']), password: text(row['password']), refusal: text(row['message']), exists: row['outcome'] === 'exists',
            }));
        } catch (error) {
            const mistakes = listMistakes(error);
            if (mistakes === '') {
                throw error;
            }
            return mistakes.split('\n').map((mistake) => refusalOf(mistake, part));
        }
    }
    return [];
}

function refusalOf(mistake: string, part: readonly ListedPerson[]): ListRefusal {
    const [, line, text = mistake] = /^line (\d+): (.*)$/i.exec(mistake) ?? [];
    // The first line is that of the columns.
    const inList = line === undefined ? 0 : part[Number(line) - 2]?.line ?? Number(line);
    return {line: inList, text, isEasyPassword: EASY_PASSWORD.test(text)};
}

/** 20 letters and digits that are told apart: about 98 bits. */
export function madeUpPassword(): string {
    const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
    return [...crypto.getRandomValues(new Uint8Array(20))].map((byte) => letters[byte % letters.length]).join('');
}

export async function setAdministrator(user: UserProfile, isAdministrator: boolean): Promise<void> {
    await api.updateUserRoles(user.id, isAdministrator ? 'system_user system_admin' : 'system_user');
}

/** Who is shut out loses sign-ins and calls at once; what the person wrote stays. */
export async function setActive(user: UserProfile, active: boolean): Promise<void> {
    await api.updateUserActive(user.id, active);
}

export async function resetPassword(user: UserProfile, password: string): Promise<void> {
    await api.updateUserPassword(user.id, '', password);
}

export async function endSignIns(user: UserProfile): Promise<void> {
    await api.revokeAllSessionsForUser(user.id);
}

/** Channels whose name begins so, of all teams, archived ones too. */
export async function findChannels(term: string): Promise<Channel[]> {
    return api.searchAllChannels(term.trim().toLowerCase(), MOST_CHANNELS);
}

export async function reopenChannel(channel: Channel): Promise<void> {
    await api.unarchiveChannel(channel.id);
}

export async function endCall(channelId: string): Promise<void> {
    await api.calls(`/calls/${encodeURIComponent(channelId)}/end`, {});
}

export interface RunningCall {
    /** Empty for a call between a few people, of which administrators are not told whose it is. */
    channelId: string;
    channelName: string;
    startAt: number;
    people: number;
    names: readonly string[];
    isRecorded: boolean;
}

/** Every call of the server, the oldest first. */
export async function readCalls(): Promise<RunningCall[]> {
    const answer = await api.readAllCalls();
    return (Array.isArray(answer) ? answer as unknown[] : []).filter(isRecord).map((call) => ({
        channelId: text(call['channel_id']),
        channelName: text(call['channel_name']),
        startAt: count(call['start_at']),
        people: count(call['participants']),
        names: (Array.isArray(call['people']) ? call['people'] as unknown[] : []).filter(isRecord).map((person) => text(person['name'])),
        isRecorded: call['recording'] === true,
    }));
}

/** One recording or transcript that is being made. */
export interface Job {
    id: string;
    isRecording: boolean;
    /** `capturing`, then `finishing`. */
    phase: string;
    /** Empty for a call between a few people, of which administrators are not told more. */
    channelName: string;
    capturedMs: number;
    isPaused: boolean;
    bytes: number;
    /** Packets that did not arrive, or that the disk was too slow for. */
    missing: number;
    pauses: number;
    /** With more than one, those before have died. */
    workers: number;
    /** How long ago its worker was heard; `null` before it was. */
    silentMs: number | null;
}

export interface Jobs {
    /** Why nothing is known, in the server's words; empty when all is. */
    problem: string;
    freeBytes: number;
    jobs: readonly Job[];
}

export async function readJobs(): Promise<Jobs> {
    const answer = await api.readJobs();
    const jobs = Array.isArray(answer['jobs']) ? answer['jobs'].filter(isRecord).map(parseJob) : [];
    return {problem: text(answer['problem']), freeBytes: count(answer['free_bytes']), jobs};
}

function parseJob(job: Readonly<Record<string, unknown>>): Job {
    return {
        id: text(job['id']),
        isRecording: job['type'] === 'recording',
        phase: text(job['phase']),
        channelName: text(job['channel_name']),
        capturedMs: count(job['captured_ms']),
        isPaused: job['is_paused'] === true,
        bytes: count(job['bytes']),
        missing: count(job['missing_packets']) + count(job['dropped_packets']),
        pauses: count(job['pauses']),
        workers: count(job['workers']),
        silentMs: typeof job['silent_ms'] === 'number' ? job['silent_ms'] : null,
    };
}

function text(value: unknown): string {
    return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
    return typeof value === 'number' ? value : 0;
}

export interface Health {
    ready: boolean;
    /** One a line, in the server's words. */
    troubles: readonly string[];
    version: string;
    mediaHosts: number;
    mediaConnected: number;
}

export async function readHealth(): Promise<Health> {
    const answer = await api.readHealth();
    const troubles = Array.isArray(answer['troubles']) ? answer['troubles'] as unknown[] : [];
    return {
        ready: answer['ready'] === true,
        troubles: troubles.map(text).filter((trouble) => trouble !== ''),
        version: text(answer['version']),
        mediaHosts: count(answer['media_hosts']),
        mediaConnected: count(answer['media_hosts_connected']),
    };
}

export async function readNodes(): Promise<Nodes> {
    return parseNodes(await api.readNodes(), Date.now());
}

/** What the server keeps. */
export interface Kept {
    people: number;
    sessions: number;
    channels: number;
    messages: number;
    files: number;
    fileBytes: number;
    /** Of the disk of the data folder; null where the server cannot tell. */
    freeBytes: number | null;
}

export async function readStorage(): Promise<Kept> {
    const answer = await api.readStorage();
    return {
        people: count(answer['people']),
        sessions: count(answer['sessions']),
        channels: count(answer['public_channels']) + count(answer['private_channels']),
        messages: count(answer['posts']),
        files: count(answer['files']),
        fileBytes: count(answer['file_bytes']),
        freeBytes: typeof answer['free_bytes'] === 'number' ? answer['free_bytes'] : null,
    };
}

function shown(users: UserProfile[]): UserProfile[] {
    const people = users.filter(({is_bot: isBot}) => !isBot);
    updateChat((chat) => withUsers(chat, people));
    return people;
}
