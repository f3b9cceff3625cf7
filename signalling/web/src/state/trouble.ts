/** Which one of several troubles a person is told: the one the others come from. Pure. */

import type {ProblemCode} from '../peer/problems';

export type Trouble = 'offline' | 'ending' | 'fault';

/** The end of a call asks for a decision; a server that is away explains what could not be loaded. */
export function troubleOf(online: boolean, callEnded: boolean, fault: string): Trouble | null {
    if (callEnded) {
        return 'ending';
    }
    if (!online) {
        return 'offline';
    }
    return fault === '' ? null : 'fault';
}

/** What follows from the server being away waits until it is back. */
const FOLLOWS: readonly ProblemCode[] = ['negotiation', 'request-refused', 'unreachable', 'media-lost'];

export function tellsNow(online: boolean, code: ProblemCode): boolean {
    return online || !FOLLOWS.includes(code);
}
