/** What a person changes about the own account: names, password, where one is signed in. */
import type {Session} from '@mattermost/types/sessions';
import type {UserProfile} from '@mattermost/types/users';
import {api} from '../api/rest';
import {store, updateChat} from '../state/app';
import {withUsers} from '../state/chat';

export type Names = Pick<UserProfile, 'first_name' | 'last_name' | 'nickname' | 'position'>;

export async function changeNames(names: Names): Promise<void> {
    const me = await api.patchMe(names);
    updateChat((chat) => ({...withUsers(chat, [me]), me}));
}

export async function changePassword(current: string, next: string): Promise<void> {
    const me = store.get().chat.me;
    if (me) {
        await api.updateUserPassword(me.id, current, next);
    }
}

export async function listSignIns(): Promise<Session[]> {
    const sessions = await api.getSessions('me');
    return sessions.sort((a, b) => b.create_at - a.create_at);
}

export async function endSignIn(session: Session): Promise<void> {
    await api.revokeSession('me', session.id);
}
