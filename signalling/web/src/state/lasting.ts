/** How long something lasted, as people say it: exact where a minute matters. Pure. */
import {currentLocale} from '../words/words';

type Unit = 'hour' | 'minute' | 'second';

/** Up to here seconds are told as well. */
const EXACT_MS = 10 * 60_000;

/** `40 sec`, `1 min 40 sec`, `28 min`, `1 hr 2 min`, as the person's region writes it. */
export function lasted(ms: number): string {
    const seconds = Math.max(1, Math.round(ms / 1000));
    if (ms < EXACT_MS) {
        return told([['minute', Math.floor(seconds / 60)], ['second', seconds % 60]]);
    }
    const minutes = Math.round(seconds / 60);
    return told([['hour', Math.floor(minutes / 60)], ['minute', minutes % 60]]);
}

function told(parts: readonly [Unit, number][]): string {
    const words = parts.filter(([, value]) => value > 0).map(([unit, value]) => new Intl.NumberFormat(currentLocale(), {style: 'unit', unit, unitDisplay: 'short'}).format(value));
    return isolated(new Intl.ListFormat(currentLocale(), {type: 'unit', style: 'narrow'}).format(words).replaceAll(' ', '\u00a0'));
}

/** A text of digits and marks that stays whole in a line of the other direction. */
export function isolated(text: string): string {
    return `\u2068${text}\u2069`;
}
