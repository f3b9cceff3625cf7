/** Reads the text form of a transcript: blocks of times, speaker, words. */

export interface Passage {
    /** `h:mm:ss` without leading zeros. */
    from: string;
    speaker: string;
    text: string;
}

/** Null when the text has another form; it is then shown as it is. */
export function readTranscript(text: string): Passage[] | null {
    const passages: Passage[] = [];
    for (const block of text.trim().split(/\r?\n\s*\r?\n/)) {
        const [times = '', speaker = '', ...words] = block.split(/\r?\n/).map((line) => line.trim());
        const from = /^(\d+):(\d{2}):(\d{2})(?:[.,]\d+)?\s*-{1,2}>/.exec(times);
        if (!from || speaker === '') {
            return null;
        }
        const [, hours = '0', minutes = '00', seconds = '00'] = from;
        passages.push({
            from: Number(hours) > 0 ? `${Number(hours)}:${minutes}:${seconds}` : `${Number(minutes)}:${seconds}`,
            speaker,
            text: words.join(' '),
        });
    }
    return passages;
}
