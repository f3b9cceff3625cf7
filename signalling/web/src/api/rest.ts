/**
 * The messaging API and the Calls REST routes of the server this page came from.
 *
 * Sign-in is kept in the server's cookies; this page holds no token of its own beyond its life.
 */
import {Client4, ClientError} from '@mattermost/client';

const CALLS = '/plugins/com.mattermost.calls';

class Api extends Client4 {
    /** A Calls route; `body` makes it a POST. */
    calls(path: string, body?: Record<string, unknown>): Promise<unknown> {
        return this.doFetch<unknown>(`${this.getUrl()}${CALLS}${path}`, body
            ? {method: 'post', body: JSON.stringify(body)}
            : {method: 'get'});
    }

    /** The text of a file. */
    async fileText(fileId: string): Promise<string> {
        const response = await fetch(fileUrl(fileId), {credentials: 'include'});
        if (!response.ok) {
            throw new Error(`the server answered ${response.status}`);
        }
        return response.text();
    }
}

export const api = new Api();

export function fileUrl(fileId: string, download = false): string {
    return `/api/v4/files/${encodeURIComponent(fileId)}${download ? '?download=1' : ''}`;
}

/** Where both WebSockets connect; `configured` replaces scheme and host when the server names one. */
export function websocketAddress(configured: string): string {
    const own = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`;
    return `${configured.replace(/\/+$/, '') || own}/api/v4/websocket`;
}

export function isSignedOut(error: unknown): boolean {
    return error instanceof ClientError && error.status_code === 401;
}

export function isUnreachable(error: unknown): boolean {
    return error instanceof TypeError || (error instanceof ClientError && error.status_code === undefined);
}

/** An error in words for the person: what was refused, or that nobody answered. */
export function describe(error: unknown): string {
    if (isUnreachable(error)) {
        return 'The server does not answer. Check your connection and try again.';
    }
    if (error instanceof ClientError && error.status_code === 429) {
        return 'That was too quick for the server. Wait a few seconds and try again.';
    }
    return error instanceof Error && error.message ? error.message : 'Something went wrong. Try again.';
}
