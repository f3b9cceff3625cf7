/**
 * What a message says, as Mattermost reads it: Markdown with line ends kept, mentions, channels, emoji.
 *
 * In: text that anybody wrote. Out: a tree of plain values; HTML in it stays text, an address that a
 * browser would run is no link. Nothing here makes HTML: the screen is built from the tree.
 * Invariant: before `fetchReader` has resolved, and where it could not, texts are shown as they are.
 */
import type {Lexer, Token, Tokens} from 'marked';
import {emojiNamed} from './emoji';

export type {Token, Tokens};

/** A piece of plain text. */
export type Piece =
    | {kind: 'text'; text: string}
    | {kind: 'mention'; text: string; name: string}
    | {kind: 'channel'; text: string; name: string}
    | {kind: 'emoji'; text: string; name: string};

const PIECES = /(?<![\w@/])@([a-zA-Z0-9][\w.-]*)|(?<![\w~/])~([a-z0-9][\w-]*)|(?<![\w:]):([\w+-]+):(?![\w:])/g;
const ENTITIES: Readonly<Record<string, string>> = {'&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&nbsp;': '\u00a0'};
const SAFE = /^(https?|mailto|tel|ftp):/i;
/** Longer texts are shown as they are: reading them as Markdown could take long. */
const MAX_CHARS = 20_000;

/** Everybody in the channel. */
const GROUPS = new Set(['all', 'channel', 'here']);

let reader: typeof Lexer | null = null;

/** Who signs in needs no Markdown: what reads it comes with the first messages. */
export async function fetchReader(): Promise<void> {
    reader ??= (await import('marked')).Lexer;
}

export function parse(text: string): Token[] {
    if (text.length > MAX_CHARS || !reader) {
        return [{type: 'text', raw: text, text} satisfies Tokens.Text];
    }
    return new reader({gfm: true, breaks: true}).lex(text);
}

/** Splits text where it names somebody, a channel or an emoji. */
export function piecesOf(raw: string): Piece[] {
    const text = raw.replace(/&(?:amp|lt|gt|quot|#39|nbsp);/g, (entity) => ENTITIES[entity] ?? entity);
    const pieces: Piece[] = [];
    let end = 0;
    for (const match of text.matchAll(PIECES)) {
        const [whole, person, channel, short] = match;
        const emoji = short === undefined ? undefined : emojiNamed(short);
        if (short !== undefined && emoji === undefined) {
            continue;
        }
        if (match.index > end) {
            pieces.push({kind: 'text', text: text.slice(end, match.index)});
        }
        end = match.index + whole.length;
        if (person !== undefined) {
            // A full stop ends the sentence, not the name.
            const name = person.replace(/[.-]+$/, '');
            end -= person.length - name.length;
            pieces.push({kind: 'mention', text: `@${name}`, name: name.toLowerCase()});
        } else if (channel !== undefined) {
            pieces.push({kind: 'channel', text: whole, name: channel});
        } else {
            pieces.push({kind: 'emoji', text: emoji ?? whole, name: short ?? ''});
        }
    }
    if (end < text.length) {
        pieces.push({kind: 'text', text: text.slice(end)});
    }
    return pieces;
}

export function isGroupMention(name: string): boolean {
    return GROUPS.has(name);
}

/** The usernames a text names, in lower case. */
export function namesIn(text: string): string[] {
    return piecesOf(text).flatMap((piece) => (piece.kind === 'mention' && !isGroupMention(piece.name) ? [piece.name] : []));
}

/** The address as a link may carry it; null for one that is not safe or leads nowhere. */
export function safeAddress(href: string): string | null {
    const address = href.replace(/[\u0000-\u0020\u007f\u00ad\u200b-\u200f\u2028\u2029\ufeff]/g, '');
    if (SAFE.test(address)) {
        return address;
    }
    // `example.org/page`, as people write it; a path or another scheme is not followed.
    return /^[\w-]+(\.[\w-]+)+(:\d+)?([/?#].*)?$/.test(address) ? `https://${address}` : null;
}

/** The path of a picture that may be shown in a message: a file of this server. Nothing is fetched from elsewhere. */
export function ownPicture(href: string, origin: string): string | null {
    const url = URL.canParse(href, origin) ? new URL(href, origin) : null;
    return url?.origin === origin && /^\/api\/v4\/files\/[a-z0-9]{26}(\/preview|\/thumbnail)?$/.test(url.pathname) && url.search === '' ? url.pathname : null;
}

/** A message of nothing but up to three emoji is shown large. */
export function isJumbo(text: string): boolean {
    const pieces = piecesOf(text.trim());
    const emoji = pieces.filter(({kind}) => kind === 'emoji');
    const rest = pieces.filter(({kind}) => kind !== 'emoji').map((piece) => piece.text).join('');
    const drawn = rest.match(/\p{Extended_Pictographic}/gu) ?? [];
    const other = rest.replace(/[\p{Extended_Pictographic}\p{Emoji_Modifier}\u200d\ufe0f\s]/gu, '');
    const count = emoji.length + drawn.length;
    return other === '' && count > 0 && count <= 3;
}
