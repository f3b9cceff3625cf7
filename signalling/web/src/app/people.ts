/** People as the server lists them, and looked up once, many at a time, as soon as something on the screen names them. */
import type {UserProfile} from '@mattermost/types/users';
import {api} from '../api/rest';
import {store, updateChat} from '../state/app';
import {withUsers} from '../state/chat';

/** Most people of one answer. */
export const PEOPLE_PAGE = 100;

/** A part of a list of people, and the way to the next. */
export interface PeoplePage {
    people: readonly UserProfile[];
    /** Null when these are the last that can be had so. */
    more: (() => Promise<PeoplePage>) | null;
    /** There are others, who are found by more of their name only. */
    isCut: boolean;
}

/** What a search finds is one part: the server has no second one. */
export function foundPeople(people: readonly UserProfile[], asked = people): PeoplePage {
    return {people, more: null, isCut: asked.length >= PEOPLE_PAGE};
}

let wanted = new Set<string>();
const asked = new Set<string>();

/** Asks the server for those of `ids` that are not known; the screen updates when they come. */
export function needPeople(ids: Iterable<string>): void {
    const {users} = store.get().chat;
    for (const id of ids) {
        if (id !== '' && !users[id] && !asked.has(id)) {
            if (wanted.size === 0) {
                queueMicrotask(() => void fetchWanted());
            }
            wanted.add(id);
        }
    }
}

async function fetchWanted(): Promise<void> {
    const ids = [...wanted];
    wanted = new Set();
    ids.forEach((id) => asked.add(id));
    try {
        const users = await api.getProfilesByIds(ids);
        updateChat((chat) => withUsers(chat, users));
    } catch (error) {
        ids.forEach((id) => asked.delete(id));
        console.warn('parley: people could not be looked up', error);
    }
}

const askedNames = new Set<string>();

/** Looks up whom messages name, so that names of people can be told from other words with an `@`. */
export function needUsernames(names: Iterable<string>): void {
    const known = new Set(Object.values(store.get().chat.users).map(({username}) => username));
    const fresh = [...new Set(names)].filter((name) => !known.has(name) && !askedNames.has(name)).slice(0, 100);
    if (fresh.length > 0) {
        fresh.forEach((name) => askedNames.add(name));
        api.getProfilesByUsernames(fresh)
            .then((users) => updateChat((chat) => withUsers(chat, users)))
            .catch(() => fresh.forEach((name) => askedNames.delete(name)));
    }
}
