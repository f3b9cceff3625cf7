/**
 * What of the page's state survives a reload: the channel in the address, the call in the tab.
 *
 * Invariant: the call is remembered per tab, so a second tab does not join by itself.
 */

const CALL_KEY = 'parley.call';
/** A tab restored later than this does not go back into a call by itself. */
const REMEMBER_MS = 60_000;

export interface RememberedCall {
    channelId: string;
    muted: boolean;
    /** Recording whose notice was acknowledged. */
    noticeSeen: number;
    hostNoticeSeen: number;
    /** Nobody else was in it. */
    alone: boolean;
    /** Session to epoch ms of its last voice. */
    spoke: Readonly<Record<string, number>>;
}

export interface Place {
    /** Id or name; empty when the address names none. */
    channel: string;
    joinCall: boolean;
}

/** Reads `#/channels/<id>`, and the paths that call links use: `/<team>/channels/<id>?join_call=true`. */
export function placeOf(address: {hash: string; pathname: string; search: string}): Place {
    const inHash = /^#\/channels\/([^/?]+)/.exec(address.hash);
    const inPath = /^\/[^/]+\/channels\/([^/?]+)/.exec(address.pathname);
    const channel = inHash?.[1] ?? inPath?.[1] ?? '';
    return {
        channel: decode(channel),
        joinCall: new URLSearchParams(address.search).get('join_call') === 'true',
    };
}

/** The secret of the invitation that somebody came by; empty without one. */
export function inviteIn(address: {pathname: string; search: string}): string {
    return /^\/signup_user_complete\/?$/.test(address.pathname) ? new URLSearchParams(address.search).get('id') ?? '' : '';
}

/** The address that `placeOf` reads as a call to come into. */
export function callLink(origin: string, team: string, channelId: string): string {
    return `${origin}/${encodeURIComponent(team)}/channels/${encodeURIComponent(channelId)}?join_call=true`;
}

export function showPlace(channelId: string): void {
    const hash = `#/channels/${encodeURIComponent(channelId)}`;
    if (location.hash !== hash) {
        history.pushState(null, '', `/${hash}`);
    }
}

const THREADS = '#/threads';

/** The address is that of the list of threads. */
export function isAtThreads(address: {hash: string}): boolean {
    return address.hash === THREADS;
}

export function showThreadsPlace(): void {
    if (location.hash !== THREADS) {
        history.pushState(null, '', `/${THREADS}`);
    }
}

export function rememberCall(call: RememberedCall): void {
    store((storage) => storage.setItem(CALL_KEY, JSON.stringify({...call, at: Date.now()})));
}

export function forgetCall(): void {
    store((storage) => storage.removeItem(CALL_KEY));
}

export function recallCall(): RememberedCall | null {
    let found: RememberedCall | null = null;
    store((storage) => {
        const value = JSON.parse(storage.getItem(CALL_KEY) ?? 'null') as Partial<RememberedCall & {at: number}> | null;
        if (typeof value?.channelId === 'string' && Date.now() - (value.at ?? 0) < REMEMBER_MS) {
            found = {channelId: value.channelId, muted: value.muted !== false, noticeSeen: value.noticeSeen ?? 0, hostNoticeSeen: value.hostNoticeSeen ?? 0, alone: value.alone === true, spoke: value.spoke ?? {}};
        }
    });
    return found;
}

function store(use: (storage: Storage) => void): void {
    try {
        use(sessionStorage);
    } catch {
        // Storage may be switched off: then a reload does not rejoin, and nothing else changes.
    }
}

function decode(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return '';
    }
}
