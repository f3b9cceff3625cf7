/** What a person does to messages: editing, deleting, saying that one writes, sending files along. */
import type {FileInfo} from '@mattermost/types/files';
import type {Post} from '@mattermost/types/posts';
import {headersFor, parsed, refusalIn} from '../api/http';
import {api, describe} from '../api/rest';
import {announce, patch, store, updateChat} from '../state/app';
import {withoutPost, withPosts} from '../state/chat';
import {say} from '../words/words';
import {goToNewest} from './channels';

/** Resolves to false when the message was not taken; the reason is shown. */
export async function sendMessage(channelId: string, rootId: string, message: string, fileIds: readonly string[] = []): Promise<boolean> {
    if (message.startsWith('/')) {
        return execute(channelId, rootId, message);
    }
    try {
        const post = await api.createPost({channel_id: channelId, root_id: rootId, message, ...(fileIds.length > 0 ? {file_ids: [...fileIds]} : {})});
        updateChat((chat) => withPosts(chat, [post]));
        patch({fault: ''});
        if (rootId === '' && store.get().chat.reach[channelId]?.to) {
            await goToNewest(channelId); // where the own message is
        }
        return true;
    } catch (error) {
        patch({fault: say('chat_not_sent', {why: describe(error)})});
        return false;
    }
}

/** What begins with `/` is never for the others. */
async function execute(channelId: string, rootId: string, command: string): Promise<boolean> {
    const carried = import('./commands').then(({carryOut}) => carryOut(command, {channelId, rootId}));
    const fault = await carried.catch((error: unknown) => say('chat_not_done', {why: describe(error)}));
    patch({fault});
    return fault === '';
}

export async function editMessage(post: Post, message: string): Promise<boolean> {
    try {
        const edited = await api.patchPost({id: post.id, message});
        updateChat((chat) => withPosts(chat, [edited]));
        announce(say('chat_edited_now'));
        return true;
    } catch (error) {
        patch({fault: say('chat_not_edited', {why: describe(error)})});
        return false;
    }
}

export async function deleteMessage(post: Post): Promise<boolean> {
    try {
        await api.deletePost(post.id);
        updateChat((chat) => withoutPost(chat, post.id));
        announce(say('chat_deleted_now'));
        return true;
    } catch (error) {
        patch({fault: say('chat_not_deleted', {why: describe(error)})});
        return false;
    }
}

/** Sends a file to the channel, to be attached to a message; rejects with the refusal. */
export function uploadFile(channelId: string, file: File, onProgress: (share: number) => void, signal: AbortSignal): Promise<FileInfo> {
    return new Promise((resolve, reject) => {
        const form = new FormData();
        form.append('channel_id', channelId);
        form.append('files', file, file.name);
        const request = new XMLHttpRequest(); // `fetch` does not say how much has gone out
        request.open('POST', api.getFilesRoute());
        Object.entries(headersFor('POST')).forEach(([name, value]) => request.setRequestHeader(name, value));
        request.upload.onprogress = ({loaded, total}) => onProgress(total > 0 ? loaded / total : 0);
        request.onerror = () => reject(new TypeError('the upload broke off'));
        request.onabort = () => reject(new DOMException('given up', 'AbortError'));
        request.onload = () => {
            const answer = parsed(request.responseText);
            const info = (answer as {file_infos?: FileInfo[]}).file_infos?.[0];
            if (request.status < 300 && info) {
                resolve(info);
            } else {
                reject(refusalIn(request.status, answer));
            }
        };
        signal.addEventListener('abort', () => request.abort(), {once: true});
        request.send(form);
    });
}

/** The last own message of a place that may be edited: the arrow up in an empty field asks for it. */
export function lastOwnPost(channelId: string, rootId: string): Post | undefined {
    const {chat} = store.get();
    return (chat.postIds[channelId] ?? []).map((id) => chat.posts[id]).filter((post) => post !== undefined)
        .findLast((post) => post.user_id === chat.me?.id && post.type === '' && (rootId === '' ? post.root_id === '' : post.root_id === rootId));
}
