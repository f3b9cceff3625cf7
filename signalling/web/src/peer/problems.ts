/**
 * What can go wrong around a call, by name. What a person is told of it: `state/advice.ts`.
 *
 * In: errors of browsers, refusals of servers. Out: `Problem`.
 */

export type ProblemCode =
    | 'microphone-denied' | 'microphone-missing' | 'microphone-busy' | 'insecure-page'
    | 'camera-denied' | 'camera-missing' | 'camera-busy'
    | 'screen-denied' | 'screen-unavailable' | 'screen-taken'
    | 'join-refused' | 'join-forbidden' | 'channel-archived' | 'calls-off' | 'calls-unavailable' | 'start-forbidden'
    | 'group-calls-off' | 'call-over' | 'call-full' | 'no-media-server'
    | 'unreachable' | 'media-unreachable' | 'media-lost' | 'negotiation'
    | 'removed' | 'call-ended' | 'moved' | 'request-refused' | 'no-webrtc';

export interface Problem {
    code: ProblemCode;
    /** In the words of the page, where the code does not say it all; else empty. */
    reason: string;
}

export class CallError extends Error {
    constructor(readonly problem: Problem) {
        super(problem.code);
    }
}

export function problem(code: ProblemCode, reason = ''): Problem {
    return {code, reason};
}

const REFUSALS: Readonly<Record<string, ProblemCode>> = {
    'forbidden': 'join-forbidden',
    'cannot join call in archived channel': 'channel-archived',
    'calls are disabled in the channel': 'calls-off',
    'insufficient permissions': 'start-forbidden',
    'call has ended': 'call-over',
    'user cannot join because of limits': 'call-full',
    'unlicensed servers only allow calls in DMs': 'group-calls-off',
};

/** `text`: what the server answers to a refused join. */
export function joinRefused(text: string): Problem {
    const code = text.startsWith('failed to get rtcd host') ? 'no-media-server' : REFUSALS[text];
    if (!code) {
        console.warn('parley: the server refused to let this page join:', text);
    }
    return problem(code ?? 'join-refused');
}

/** Worth joining again: nobody decided against it, or not for good, or it was the person who went elsewhere. */
const PASSING: readonly ProblemCode[] = [
    'media-lost', 'media-unreachable', 'unreachable', 'join-refused', 'calls-unavailable', 'call-over', 'call-full', 'no-media-server', 'moved',
];

export function isPassing({code}: Problem): boolean {
    return PASSING.includes(code);
}
