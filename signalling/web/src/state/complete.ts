/**
 * What is completed while somebody writes: `@anna`, `:smile:`, `/call join`.
 *
 * In: the text and the cursor. Out: what is asked for, and the text with the choice in it. Pure.
 */

import {commandAt} from './command';

export interface Query {
    kind: 'person' | 'emoji' | 'command';
    /** What was written after the sign; a command with it. */
    term: string;
    /** Where the sign stands. */
    from: number;
}

/** Letters before an emoji is looked for: `:3` and `12:30` are no emoji. */
const EMOJI_MIN = 2;

/** Null when nothing is being named at the cursor. */
export function queryAt(text: string, cursor: number): Query | null {
    const before = text.slice(0, cursor);
    const person = /(?:^|[\s(>*_~"'])@([\w.-]*)$/.exec(before);
    if (person) {
        const term = person[1] ?? '';
        return {kind: 'person', term, from: cursor - term.length - 1};
    }
    const command = commandAt(text, cursor);
    if (command !== null) {
        return {kind: 'command', term: command, from: 0};
    }
    const emoji = /(?:^|[\s(>*_~"'])[:]([\w+-]*)$/.exec(before);
    const term = emoji?.[1] ?? '';
    return emoji && term.length >= EMOJI_MIN ? {kind: 'emoji', term, from: cursor - term.length - 1} : null;
}

/** The text with `choice` in the place of what was being named, and where to go on. */
export function withChoice(text: string, cursor: number, query: Query, choice: string): {text: string; cursor: number} {
    const start = text.slice(0, query.from) + choice;
    const rest = text.slice(cursor);
    const gap = rest.startsWith(' ') ? '' : ' ';
    return {text: start + gap + rest, cursor: start.length + 1};
}
