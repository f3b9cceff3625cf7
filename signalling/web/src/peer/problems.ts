/**
 * What can go wrong around a call, in words for the person: what happened and what to do.
 *
 * In: errors of browsers and servers. Out: `Problem`.
 */

export type ProblemCode =
    | 'microphone-denied' | 'microphone-missing' | 'microphone-busy' | 'insecure-page'
    | 'screen-denied' | 'screen-unavailable' | 'screen-taken'
    | 'join-refused' | 'unreachable' | 'media-unreachable' | 'media-lost' | 'negotiation'
    | 'removed' | 'call-ended' | 'moved' | 'request-refused' | 'no-webrtc';

export interface Problem {
    code: ProblemCode;
    title: string;
    advice: string;
    /** Trying again would be refused again. */
    lasting?: true;
}

export class CallError extends Error {
    constructor(readonly problem: Problem) {
        super(problem.title);
    }
}

const TEXTS: Record<ProblemCode, Omit<Problem, 'code'>> = {
    'microphone-denied': {
        title: 'The browser does not let this page use the microphone.',
        advice: 'Allow the microphone next to the address bar, then unmute again. You can listen meanwhile.',
    },
    'microphone-missing': {
        title: 'No microphone was found.',
        advice: 'Plug one in or switch it on, then unmute again. You can listen meanwhile.',
    },
    'microphone-busy': {
        title: 'The microphone could not be started.',
        advice: 'Another program may be using it. Close that program, then unmute again.',
    },
    'insecure-page': {
        title: 'The microphone works only on a secure address.',
        advice: 'Open this page by https, or by localhost on this machine. You can listen meanwhile.',
    },
    'screen-denied': {
        title: 'The screen was not shared.',
        advice: 'Choose a screen or window when the browser asks. If it never asks, allow screen recording in the system settings.',
    },
    'screen-unavailable': {
        title: 'This browser cannot share the screen.',
        advice: 'Use a desktop browser such as Firefox, Chromium or Edge.',
    },
    'screen-taken': {
        title: 'Somebody else is sharing a screen.',
        advice: 'Ask them to stop first; one screen is shared at a time.',
    },
    'join-refused': {
        title: 'The call could not be joined.',
        advice: 'Try again, or ask an administrator of this channel.',
    },
    'unreachable': {
        title: 'The server cannot be reached.',
        advice: 'Check your network connection, then join again.',
    },
    'media-unreachable': {
        title: 'No sound can get through to the server.',
        advice: 'A firewall may block it. Try another network, or ask your administrator about the media port.',
    },
    'media-lost': {
        title: 'The connection for sound was lost.',
        advice: 'Check your network connection, then join again.',
    },
    'negotiation': {
        title: 'The server did not accept the change.',
        advice: 'Try again in a moment. If it persists, leave and join again.',
    },
    'removed': {
        title: 'The host removed you from the call.',
        advice: 'Ask the host if you think this was a mistake.',
    },
    'call-ended': {
        title: 'The call was ended for everyone.',
        advice: 'Start a new one from the channel if you need to.',
    },
    'moved': {
        title: 'You went on with this call in another tab.',
        advice: 'You can come back into it here.',
    },
    'request-refused': {
        title: 'The server refused this.',
        advice: 'Try again in a moment.',
    },
    'no-webrtc': {
        title: 'This browser cannot make calls.',
        advice: 'Use a current Firefox, Chromium, Edge or Safari with WebRTC switched on.',
    },
};

/** No firewall stands between a page and a server on one machine, but Firefox skips that address. */
const UNREACHABLE_ON_LOOPBACK = 'Firefox takes no media from 127.0.0.1: use Chromium on this machine, ' +
    'or start the server with PARLEY_LISTEN=0.0.0.0:8065.';

function isOnLoopback(): boolean {
    const host = globalThis.location?.hostname ?? '';
    return host === 'localhost' || host === '[::1]' || host.startsWith('127.');
}

/** `detail`: what the server said, shown after the title. */
export function problem(code: ProblemCode, detail = ''): Problem {
    const {title, advice: usual} = TEXTS[code];
    const advice = code === 'media-unreachable' && isOnLoopback() ? UNREACHABLE_ON_LOOPBACK : usual;
    return {code, title: detail ? `${title} (${detail})` : title, advice};
}

/** What the server answers to a refused join, in the person's words. */
export function joinRefused(text: string): Problem {
    const known: Record<string, Omit<Problem, 'code'>> = {
        'forbidden': {
            lasting: true,
            title: 'You may not join calls in this channel.',
            advice: 'Ask a channel administrator for permission to post here.',
        },
        'cannot join call in archived channel': {
            lasting: true,
            title: 'This channel is archived.',
            advice: 'Start the call in another channel.',
        },
        'calls are disabled in the channel': {
            lasting: true,
            title: 'Calls are switched off in this channel.',
            advice: 'A channel administrator can switch them on.',
        },
        'insufficient permissions': {
            lasting: true,
            title: 'Only administrators may start calls here for now.',
            advice: 'Ask an administrator to start the call; you can join it then.',
        },
        'call has ended': {
            title: 'This call has just ended.',
            advice: 'Start a new one.',
        },
        'user cannot join because of limits': {
            title: 'The call is full.',
            advice: 'Wait until somebody leaves, then join again.',
        },
    };
    if (text.startsWith('failed to get rtcd host')) {
        return {
            code: 'join-refused',
            title: 'No media server is available for the call.',
            advice: 'Try again in a minute; if it persists, tell your administrator.',
        };
    }
    const match = known[text];
    return match ? {code: 'join-refused', ...match} : problem('join-refused', text);
}
