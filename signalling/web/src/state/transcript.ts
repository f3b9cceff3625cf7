/**
 * Reads the text form of a transcript: blocks of times, speaker, words. What nobody heard has no speaker, and from where
 * on nothing was heard one time only; a sentence about the languages may be the last.
 */

export interface Passage {
    /** Seconds after the recording began. */
    at: number;
    /** Empty where nobody was heard. */
    speaker: string;
    text: string;
}

const ABOUT_ALL = /^(Languages: .+|Some speech was not understood)\.$/;

/** Null when the text has another form; it is then shown as it is. */
export function readTranscript(text: string): Passage[] | null {
    const passages: Passage[] = [];
    const blocks = text.trim().split(/\r?\n\s*\r?\n/);
    if (blocks.length > 1 && ABOUT_ALL.test(blocks.at(-1) ?? '')) {
        blocks.pop();
    }
    for (const block of blocks) {
        const [times = '', speaker = '', ...words] = block.split(/\r?\n/).map((line) => line.trim());
        const unheard = words.length === 0 && /^\[.+\]$/.test(speaker);
        const from = /^(\d+):(\d{2}):(\d{2})([.,]\d+)?(\s*-{1,2}>|$)/.exec(times);
        if (!from || speaker === '') {
            return null;
        }
        const [, hours = '0', minutes = '00', seconds = '00', rest = ''] = from;
        passages.push({
            at: Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(`0${rest.replace(',', '.')}`),
            speaker: unheard ? '' : speaker,
            text: unheard ? speaker : words.join(' '),
        });
    }
    return passages;
}

/** Indexes of the passages that hold `wanted`, whoever said it. Empty for an empty search. */
export function findWords(passages: readonly Passage[], wanted: string): number[] {
    const needle = wanted.trim().toLowerCase();
    return needle === '' ? [] : passages.flatMap(({speaker, text}, index) => (`${speaker} ${text}`.toLowerCase().includes(needle) ? [index] : []));
}

/** The passage that is heard at `seconds`; -1 before the first. */
export function passageAt(passages: readonly Passage[], seconds: number): number {
    return passages.findLastIndex(({at}) => at <= seconds + 0.05);
}
