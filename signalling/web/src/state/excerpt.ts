/** The part of a message that shows why it was found. Pure. */

export interface Piece {
    text: string;
    isMatch: boolean;
}

/** Characters shown before the first match, and in all. */
const BEFORE = 60;
const MOST = 240;
/** What of Markdown says nothing without its look. */
const MARKS = /\*\*|__|~~|`+|^#{1,6} /gm;

/** What is looked for in texts: not who wrote it, where, when, nor what must be missing. */
export function wordsIn(terms: string): string[] {
    const plain = terms.replace(/(?:^|\s)(?:from|in|before|after|on):\s*(?:"[^"]*"|\S+)/gi, ' ').replace(/(?:^|\s)-(?:"[^"]*"|\S+)/g, ' ');
    return [...plain.matchAll(/[\p{L}\p{N}\p{M}]+/gu)].map(([word]) => word);
}

export function excerptOf(marked: string, terms: string): Piece[] {
    const message = marked.replace(MARKS, '');
    const words = wordsIn(terms);
    const pattern = words.length > 0 ? new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.sort((a, b) => b.length - a.length).join('|')})`, 'giu') : null;
    const first = pattern ? message.search(pattern) : -1;
    const from = first > BEFORE ? first - BEFORE : 0;
    const text = (from > 0 ? '…' : '') + message.slice(from, from + MOST) + (message.length > from + MOST ? '…' : '');
    const pieces: Piece[] = [];
    let at = 0;
    for (const match of pattern ? text.matchAll(pattern) : []) {
        pieces.push({text: text.slice(at, match.index), isMatch: false}, {text: match[0], isMatch: true});
        at = match.index + match[0].length;
    }
    return [...pieces, {text: text.slice(at), isMatch: false}].filter((piece) => piece.text !== '');
}
