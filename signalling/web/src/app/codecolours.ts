/**
 * The colours of code in messages, read by a worker that is fetched with the first block that needs it.
 *
 * In: code that anybody wrote, and an id of `state/codelanguages.ts`. Out: its pieces; null for what stays plain: no
 * language, too long, read for too long, or no worker to be had.
 * Why a worker: a text can be written so that a grammar takes minutes for it. It is given `MAX_MS`, and ends then.
 */
import type {CodePiece} from '../state/grammars';
import type {Answer, Block} from './codereader';

export type Colours = readonly CodePiece[] | null;

export const MAX_CODE_CHARS = 20_000;
export const MAX_MS = 1000;
/** Blocks that are remembered, so that those scrolled back to have their colours at once. */
const MAX_KNOWN = 200;

interface Task extends Block {
    tell: (colours: Colours) => void;
}

const known = new Map<string, Colours>();
/** The first is being read, or waits for the worker. */
const tasks: Task[] = [];
let worker: Worker | null = null;
let limit: ReturnType<typeof setTimeout> | undefined;

/** What is remembered of it. */
export function knownColours(code: string, language: string): Colours {
    return known.get(keyOf({code, language})) ?? null;
}

export function coloursOf(code: string, language: string): Promise<Colours> {
    if (language === '' || code.length > MAX_CODE_CHARS) {
        return Promise.resolve(null);
    }
    return new Promise((tell) => {
        if (tasks.push({code, language, tell}) === 1) {
            readNext();
        }
    });
}

function readNext(): void {
    const [task] = tasks;
    if (!task) {
        return;
    }
    const colours = known.get(keyOf(task));
    if (colours !== undefined) {
        finish(colours);
    } else if (worker) {
        limit = setTimeout(() => {
            dismiss();
            finish(null);
        }, MAX_MS);
        worker.postMessage({code: task.code, language: task.language} satisfies Block);
    } else {
        engage();
    }
}

function engage(): void {
    try {
        const engaged = new Worker(new URL('./codereader.ts', import.meta.url), {type: 'module'});
        engaged.onmessage = ({data}: MessageEvent<Answer>) => {
            if (data === 'there') {
                worker = engaged;
                readNext();
            } else {
                finish(data);
            }
        };
        engaged.onerror = giveUp;
    } catch {
        giveUp(); // the browser lets this page have none
    }
}

/** Tells the first block and goes on with the next. */
function finish(colours: Colours): void {
    clearTimeout(limit);
    const task = tasks.shift();
    if (task) {
        remember(keyOf(task), colours);
        task.tell(colours);
    }
    readNext();
}

/** Without a worker they are plain for now: the next block that comes asks for one again. */
function giveUp(): void {
    clearTimeout(limit);
    dismiss();
    tasks.splice(0).forEach(({tell}) => tell(null));
}

function dismiss(): void {
    worker?.terminate();
    worker = null;
}

function remember(key: string, colours: Colours): void {
    known.delete(key);
    known.set(key, colours);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) {
        known.delete(oldest);
    }
}

function keyOf({code, language}: Block): string {
    return `${language}\n${code}`;
}
