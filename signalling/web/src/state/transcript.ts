/** Reads the text form of a transcript: blocks of times, speaker, words. */

export interface Passage {
    /** Seconds after the recording began. */
    at: number;
    speaker: string;
    text: string;
}

/** Null when the text has another form; it is then shown as it is. */
export function readTranscript(text: string): Passage[] | null {
    const passages: Passage[] = [];
    for (const block of text.trim().split(/\r?\n\s*\r?\n/)) {
        const [times = '', speaker = '', ...words] = block.split(/\r?\n/).map((line) => line.trim());
        const from = /^(\d+):(\d{2}):(\d{2})([.,]\d+)?\s*-{1,2}>/.exec(times);
        if (!from || speaker === '') {
            return null;
        }
        const [, hours = '0', minutes = '00', seconds = '00', rest = ''] = from;
        passages.push({
            at: Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds) + Number(`0${rest.replace(',', '.')}`),
            speaker,
            text: words.join(' '),
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
