/** Commands as people write them. Pure. */

export interface CallCommand {
    /** What of `/call` this page knows to do; empty for anything else. */
    verb: string;
    /** What follows it. */
    rest: string;
}

const ALONE = ['join', 'leave', 'end', 'logs', 'stats'];
/** The server takes a command of 16,383 characters. */
const MOST_CODED = 16_000;

/** `stats` with something behind it is somebody's own measurement: that is the server's to judge. */
export function readCommand(text: string): CallCommand {
    const [name = '', verb = '', ...words] = text.trim().split(/\s+/);
    const rest = words.join(' ');
    if (name !== '/call') {
        return {verb: '', rest: ''};
    }
    if (verb === 'start') {
        return {verb, rest};
    }
    if (ALONE.includes(verb) && rest === '') {
        return {verb, rest: ''};
    }
    if (verb === 'recording' && (rest === 'start' || rest === 'stop')) {
        return {verb: `recording ${rest}`, rest: ''};
    }
    return {verb: '', rest: ''};
}

/** Measurements as base64 of JSON, as many of them as the server takes, in their order. */
export function coded(measured: Readonly<Record<string, unknown>>): string {
    const entries = Object.entries(measured);
    for (;;) {
        const text = base64(JSON.stringify(Object.fromEntries(entries)));
        if (text.length <= MOST_CODED || entries.length === 0) {
            return text;
        }
        entries.length -= Math.ceil(entries.length / 8);
    }
}

function base64(text: string): string {
    return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}

/** What begins with a command's sign, as far as it is written: null when it is none. */
export function commandAt(text: string, cursor: number): string | null {
    const before = text.slice(0, cursor);
    return /^\/[^\n]*$/.test(before) && !before.startsWith('//') ? before : null;
}
