/**
 * The people of a call for the screen: one entry per person, however many devices they joined with.
 *
 * The order is the same for everybody but for oneself, who comes first: host, sharer, raised hands
 * (the longest waiting first), who spoke lately, the others; within these as they joined.
 * Invariant: pure, and the sessions of a call are in the order of joining.
 */
import type {Call} from './calls';

export interface Participant {
    userId: string;
    sessionIds: readonly string[];
    muted: boolean;
    speaking: boolean;
    /** Epoch ms since when; 0 when lowered. */
    raisedHand: number;
    isHost: boolean;
    isSharing: boolean;
    /** The session that shares; empty when none does. */
    sharingSessionId: string;
    /** The session that shows a camera; empty when none does. */
    cameraSessionId: string;
    rank: Rank;
}

/** The groups of the order: within one, people only come and go, and nobody overtakes. */
export enum Rank { Self, Host, Sharer, Hand, Speaker, Other }

/** Who looks, when, and who was heard (session to epoch ms of the last voice). */
export interface Onlooker {
    meId: string;
    now: number;
    spoke: Readonly<Record<string, number>>;
    /** Who stays in a group for now: their entry has the focus, or the order rests a moment. */
    held?: ReadonlyMap<string, Rank>;
}

/** Above so many people some are out of sight, and what happens all the time is gathered. */
export const MANY = 49;

/** Long enough not to jump in a talk of two, short enough that a late joiner soon sees the same. */
export const RECENT_MS = 30_000;

const NOBODY: Onlooker = {meId: '', now: 0, spoke: {}};

/** A person as the sessions tell it, before anybody looks. */
export type Person = Omit<Participant, 'rank'>;

export function roster(call: Call, onlooker: Onlooker = NOBODY): Participant[] {
    return inOrder(gathered(call), onlooker);
}

/** Everybody once, as they joined. */
export function gathered(call: Call): Person[] {
    const people = new Map<string, Person>();
    for (const session of Object.values(call.sessions)) {
        const known = people.get(session.userId);
        const hands = [known?.raisedHand ?? 0, session.raisedHand].filter((at) => at > 0);
        const shares = session.sessionId === call.screenSessionId;
        people.set(session.userId, {
            userId: session.userId,
            sessionIds: [...(known?.sessionIds ?? []), session.sessionId],
            muted: (known?.muted ?? true) && !session.unmuted,
            speaking: (known?.speaking ?? false) || (session.speaking && session.unmuted),
            raisedHand: hands.length > 0 ? Math.min(...hands) : 0,
            isHost: session.userId === call.hostId,
            isSharing: (known?.isSharing ?? false) || shares,
            cameraSessionId: session.video ? session.sessionId : known?.cameraSessionId ?? '',
            sharingSessionId: shares ? session.sessionId : known?.sharingSessionId ?? '',
        });
    }
    return [...people.values()];
}

export function inOrder(people: readonly Person[], onlooker: Onlooker): Participant[] {
    const ranked = people.map((person) => ({...person, rank: rankOf(person, onlooker)}));
    return ranked.sort((a, b) => a.rank - b.rank || (a.rank === Rank.Hand ? waiting(a) - waiting(b) : 0));
}

/**
 * The groups in which people stand when so many of them may change theirs at once, the foremost first: each who
 * does is drawn anew, and all of them together would take longer than a frame. Who is new has none to stay in.
 */
export function eased(people: readonly Participant[], shown: ReadonlyMap<string, Rank>, moves: number): Map<string, Rank> {
    let left = moves;
    return new Map(people.map(({userId, rank}) => {
        const before = shown.get(userId) ?? rank;
        return [userId, before === rank || left-- > 0 ? rank : before];
    }));
}

/** Who lowered the hand and is still in the group comes after those who wait. */
function waiting({raisedHand}: Pick<Participant, 'raisedHand'>): number {
    return raisedHand === 0 ? Infinity : raisedHand;
}

/** Nothing about the person differs: with many people most events leave most of them as they were. */
export function sameParticipant(a: Participant, b: Participant): boolean {
    return a.userId === b.userId && a.muted === b.muted && a.speaking === b.speaking && a.raisedHand === b.raisedHand && a.isHost === b.isHost
        && a.sharingSessionId === b.sharingSessionId && a.cameraSessionId === b.cameraSessionId && a.sessionIds.length === b.sessionIds.length && a.sessionIds.every((id, at) => id === b.sessionIds[at]);
}

/** The same people by group, the groups that are there in their order. */
export function inGroups(people: readonly Participant[]): (readonly [rank: Rank, people: readonly Participant[]])[] {
    const groups = new Map<Rank, Participant[]>();
    for (const person of people) {
        const group = groups.get(person.rank);
        if (group) {
            group.push(person);
        } else {
            groups.set(person.rank, [person]);
        }
    }
    return [...groups];
}

/** What a page needs to come back into a call with its order: who was heard lately, those who speak just now. */
export function heardLately(spoke: Onlooker['spoke'], call: Call | undefined, now: number): Record<string, number> {
    const speaking = Object.values(call?.sessions ?? {}).filter((session) => session.speaking && session.unmuted).map(({sessionId}) => [sessionId, now] as const);
    return Object.fromEntries([...Object.entries(spoke).filter(([, at]) => now - at < RECENT_MS), ...speaking]);
}

/** Who was heard before one came, as the state of the call tells it; what is known already stays. */
export function heardBefore(spoke: Onlooker['spoke'], call: Call | undefined, now: number): Record<string, number> {
    const told = Object.values(call?.sessions ?? {}).map(({sessionId, silentFor = Infinity}) => [sessionId, Math.max(now - silentFor, spoke[sessionId] ?? -Infinity)] as const);
    return {...spoke, ...Object.fromEntries(told.filter(([, at]) => at > -Infinity))};
}

/** Host controls are for the host and for administrators of the system; the server refuses others. */
export function mayHost(call: Call | undefined, me: {id: string; roles?: string} | null): boolean {
    return call !== undefined && me !== null && (call.hostId === me.id || (me.roles ?? '').split(' ').includes('system_admin'));
}

/** Those whose name contains every word of `wanted`, whatever the case and the accents. */
export function found<T>(people: readonly T[], wanted: string, nameOf: (person: T) => string): readonly T[] {
    const words = plain(wanted).split(/\s+/).filter((word) => word !== '');
    return words.length === 0 ? people : people.filter((person) => {
        const name = plain(nameOf(person));
        return words.every((word) => name.includes(word));
    });
}

function rankOf(person: Person, {meId, now, spoke, held}: Onlooker): Rank {
    const stays = held?.get(person.userId);
    if (stays !== undefined) {
        return stays;
    }
    if (person.userId === meId) {
        return Rank.Self;
    }
    if (person.isHost) {
        return Rank.Host;
    }
    if (person.isSharing) {
        return Rank.Sharer;
    }
    if (person.raisedHand > 0) {
        return Rank.Hand;
    }
    const spokeLately = person.sessionIds.some((id) => now - (spoke[id] ?? -Infinity) < RECENT_MS);
    return person.speaking || spokeLately ? Rank.Speaker : Rank.Other;
}

function plain(text: string): string {
    return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}
