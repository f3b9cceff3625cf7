/** Looks people up once, many at a time, as soon as something on the screen names them. */
import {api} from '../api/rest';
import {store, updateChat} from '../state/app';
import {withUsers} from '../state/chat';

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
