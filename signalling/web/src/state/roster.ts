/** The people of a call for the screen: one entry per person, however many devices they joined with. */
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
}

/** Raised hands first, the longest waiting before the others; then in order of joining. */
export function roster(call: Call): Participant[] {
    const people = new Map<string, Participant>();
    for (const session of Object.values(call.sessions)) {
        const known = people.get(session.userId);
        const hands = [known?.raisedHand ?? 0, session.raisedHand].filter((at) => at > 0);
        people.set(session.userId, {
            userId: session.userId,
            sessionIds: [...(known?.sessionIds ?? []), session.sessionId],
            muted: (known?.muted ?? true) && !session.unmuted,
            speaking: (known?.speaking ?? false) || (session.speaking && session.unmuted),
            raisedHand: hands.length > 0 ? Math.min(...hands) : 0,
            isHost: session.userId === call.hostId,
            isSharing: (known?.isSharing ?? false) || session.sessionId === call.screenSessionId,
        });
    }
    const waiting = ({raisedHand}: Participant): number => (raisedHand > 0 ? raisedHand : Number.MAX_SAFE_INTEGER);
    return [...people.values()].sort((a, b) => waiting(a) - waiting(b));
}
