/**
 * What was said in the call, as its captions told it: the history beside the lines that pass by.
 *
 * In: captions. Those that name their utterance replace its text; of others, which utterance they belong
 * to is guessed from words and pauses. Out: lines to read again.
 * Not here: the transcript, which comes after the call and is more exact.
 * Invariant: pure; while a speaker goes on, the line grows instead of being written twice.
 */
import {isLate, type Caption, type Translated} from './active';

export interface CaptionLine {
    id: number;
    sessionId: string;
    userId: string;
    text: string;
    /** Epoch ms of its first and its last words. */
    from: number;
    to: number;
    utterance: string;
    final: boolean;
    language: string;
    notice: boolean;
    translated?: Translated;
}

/** More than this nobody reads again during a call; the transcript has it all. */
const MAX_LINES = 300;
/** A speaker who paused for longer begins a new line. */
const SAME_WITHIN_MS = 5000;
/** A text that lost words after such a silence is no correction: other speech begins with the same words. */
const CORRECTED_WITHIN_MS = 1200;
/** Share of the words before that the next text still has, when it is the same speech going on. */
const SAME_SHARE = 0.5;

export function withLine(log: readonly CaptionLine[], caption: Caption): readonly CaptionLine[] {
    const {utterance, final} = caption;
    const at = log.findLastIndex((line) => line.sessionId === caption.sessionId && line.notice === caption.notice && (utterance === '' || line.utterance === utterance));
    const last = log[at];
    // The same word about captions that cannot be made is told once.
    if (caption.notice && log.some((line) => line.notice && line.text === caption.text && line.sessionId === caption.sessionId)) {
        return log;
    }
    if (last && utterance !== '') {
        return isLate(last, caption) ? log : [...log.slice(0, at), {...last, text: caption.text, to: caption.at, final, language: caption.language}, ...log.slice(at + 1)];
    }
    if (last && caption.at - last.to < SAME_WITHIN_MS && goesOn(last.text, caption.text) && !beginsAnew(last, caption)) {
        // A shorter version that begins elsewhere has scrolled its beginning away: the longer one holds more.
        const sameBeginning = wordsOf(caption.text)[0] === wordsOf(last.text)[0];
        const text = sameBeginning || caption.text.length >= last.text.length ? caption.text : last.text;
        return [...log.slice(0, at), {...last, text, to: caption.at}, ...log.slice(at + 1)];
    }
    const id = (log.at(-1)?.id ?? 0) + 1;
    const line = {id, sessionId: caption.sessionId, userId: caption.userId, text: caption.text, from: caption.at, to: caption.at, utterance, final, language: caption.language, notice: caption.notice};
    return [...log, line].slice(-MAX_LINES);
}

/** Whether a reader of `wish` wants these words in another language than they came in. */
export function wantsTranslation({final, notice, language, utterance}: Caption, wish: string): boolean {
    const base = (code: string): string => code.split('-')[0] ?? '';
    return wish !== '' && final && !notice && utterance !== '' && language !== '' && base(language) !== base(wish);
}

/** The words of one utterance in another language, wherever they stand. */
export function withTranslation<T extends Pick<Caption, 'utterance' | 'sessionId' | 'text'>>(lines: readonly T[], of: Caption, translated: Translated): readonly T[] {
    return lines.map((line) => (line.utterance === of.utterance && line.sessionId === of.sessionId && line.text === of.text ? {...line, translated} : line));
}

/** Within one utterance the text grows, but for a last word or two that are heard better a moment later. */
function beginsAnew(last: CaptionLine, caption: Caption): boolean {
    return caption.at - last.to > CORRECTED_WITHIN_MS && wordsOf(caption.text).length < wordsOf(last.text).length;
}

/** Most words of `before` are in `next`, in whichever spelling of case and signs. */
function goesOn(before: string, next: string): boolean {
    const old = wordsOf(before);
    const now = new Set(wordsOf(next));
    const kept = old.filter((word) => now.has(word)).length;
    return old.length > 0 && kept / old.length >= SAME_SHARE;
}

function wordsOf(text: string): string[] {
    return text.toLowerCase().split(/[^\p{L}\p{N}\p{M}]+/u).filter((word) => word !== '');
}
