/**
 * Who is there and who is writing.
 *
 * In: what the server answered and announced, with the time. Out: the next state. Pure.
 */

export type Status = 'online' | 'away' | 'dnd' | 'offline';

export interface Typist {
    userId: string;
    /** Epoch ms of the last sign. */
    at: number;
}

export interface Presence {
    statuses: Readonly<Record<string, Status>>;
    /** By place: a channel, or a channel and the thread in it. */
    typing: Readonly<Record<string, readonly Typist[]>>;
}

export const emptyPresence: Presence = {statuses: {}, typing: {}};

/** Without a further sign somebody has stopped writing. */
export const TYPING_MS = 6000;

export function typingPlace(channelId: string, rootId: string): string {
    return `${channelId}/${rootId}`;
}

export function withStatuses(presence: Presence, found: readonly {userId: string; status: string}[]): Presence {
    const changed = found.filter(({userId, status}) => presence.statuses[userId] !== parseStatus(status));
    if (changed.length === 0) {
        return presence;
    }
    const statuses = {...presence.statuses};
    changed.forEach(({userId, status}) => {
        statuses[userId] = parseStatus(status);
    });
    return {...presence, statuses};
}

export function withTypist(presence: Presence, place: string, userId: string, at: number): Presence {
    const others = (presence.typing[place] ?? []).filter((typist) => typist.userId !== userId);
    return {...presence, typing: {...presence.typing, [place]: [...others, {userId, at}]}};
}

/** Somebody's message has come, so nothing is being written any more. */
export function withoutTypist(presence: Presence, place: string, userId: string): Presence {
    const typists = presence.typing[place] ?? [];
    const others = typists.filter((typist) => typist.userId !== userId);
    return others.length === typists.length ? presence : {...presence, typing: {...presence.typing, [place]: others}};
}

export function withoutOldTypists(presence: Presence, now: number): Presence {
    const typing: Record<string, readonly Typist[]> = {};
    let changed = false;
    for (const [place, typists] of Object.entries(presence.typing)) {
        const fresh = typists.filter(({at}) => now - at < TYPING_MS);
        changed ||= fresh.length !== typists.length;
        if (fresh.length > 0) {
            typing[place] = fresh;
        }
    }
    return changed ? {...presence, typing} : presence;
}

function parseStatus(status: string): Status {
    return status === 'online' || status === 'away' || status === 'dnd' ? status : 'offline';
}
