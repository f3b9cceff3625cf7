/** What a person changes about the own account: names, password, picture, where one is signed in. */
import type {Session} from '@mattermost/types/sessions';
import type {UserProfile} from '@mattermost/types/users';
import {headersFor, parsed, refusalIn} from '../api/http';
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

/** CSS px of a picture's side: sharp at the largest size it is shown, on a dense screen. */
const PICTURE_SIDE = 256;

/** Any picture the browser reads, cut to its middle square. Rejects with `TypeError` or the server's refusal. */
export async function changePicture(file: Blob): Promise<void> {
    const form = new FormData();
    form.append('image', await squareOf(file), 'picture.png');
    const answer = await fetch(`/api/v4/users/${encodeURIComponent(store.get().chat.me?.id ?? '')}/image`, {method: 'POST', credentials: 'include', headers: headersFor('POST'), body: form});
    if (!answer.ok) {
        throw refusalIn(answer.status, parsed(await answer.text()));
    }
    await readMe();
}

export async function removePicture(): Promise<void> {
    await api.removePicture(store.get().chat.me?.id ?? '');
    await readMe();
}

async function squareOf(file: Blob): Promise<Blob> {
    const picture = await createImageBitmap(file);
    const side = Math.min(picture.width, picture.height);
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = PICTURE_SIDE;
    canvas.getContext('2d')?.drawImage(picture, (picture.width - side) / 2, (picture.height - side) / 2, side, side, 0, 0, PICTURE_SIDE, PICTURE_SIDE);
    picture.close();
    return new Promise((resolve, reject) => {
        canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('the picture could not be drawn'))), 'image/png');
    });
}

async function readMe(): Promise<void> {
    const me = await api.getMe();
    updateChat((chat) => ({...withUsers(chat, [me]), me}));
}

/** Of oneself (`me`), or of anybody for an administrator; the newest first. */
export async function listSignIns(userId: string): Promise<Session[]> {
    const sessions = await api.getSessions(userId);
    return sessions.sort((a, b) => b.create_at - a.create_at);
}

export async function endSignIn(userId: string, session: Session): Promise<void> {
    await api.revokeSession(userId, session.id);
}
