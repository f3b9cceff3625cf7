/**
 * The languages of the page, and which one a person gets: the one chosen before, else the browser's.
 *
 * In: the browser's wishes, the remembered choice. Out: a tag with a message file. The file is fetched
 * in two parts, as English is cut (`vite.config.ts`): at the start, and with the dialogs. English is
 * part of the page.
 */
import en from './en.json';
import type {Messages} from './words';

export interface Language {
    tag: string;
    /** In itself, so that whoever reads it finds it. */
    name: string;
}

export const LANGUAGES: readonly Language[] = [
    {tag: 'ar', name: 'العربية'},
    {tag: 'de', name: 'Deutsch'},
    {tag: 'en', name: 'English'},
    {tag: 'es', name: 'Español'},
    {tag: 'fr', name: 'Français'},
    {tag: 'pt-BR', name: 'Português (Brasil)'},
];

const firstParts = import.meta.glob<Messages>(['./*.json', '!./en*.json'], {query: '?first', import: 'default'});
const laterParts = import.meta.glob<Messages>(['./*.json', '!./en*.json'], {query: '?later', import: 'default'});

/** The first wish there is a language for, English when there is none. */
export function languageFor(wishes: readonly string[]): string {
    for (const wish of wishes) {
        const exact = LANGUAGES.find(({tag}) => tag.toLowerCase() === wish.toLowerCase());
        const related = LANGUAGES.find(({tag}) => base(tag) === base(wish));
        const found = exact ?? related;
        if (found) {
            return found.tag;
        }
    }
    return 'en';
}

/** The language with the region of the first wish that speaks it: `en-GB` writes dates unlike `en`. */
export function localeFor(tag: string, wishes: readonly string[]): string {
    const regional = wishes.find((wish) => base(wish) === base(tag) && isKnown(wish));
    return tag.includes('-') ? tag : regional ?? tag;
}

/** What the first screen says; rejects when the file cannot be fetched. */
export async function messagesOf(tag: string): Promise<Messages> {
    return await firstParts[`./${tag}.json`]?.() ?? en;
}

/** The rest, empty for English, whose rest comes with the dialogs; rejects when the file cannot be fetched. */
export async function laterMessagesOf(tag: string): Promise<Messages> {
    return await laterParts[`./${tag}.json`]?.() ?? {};
}

function base(tag: string): string {
    return (tag.split('-')[0] ?? '').toLowerCase();
}

function isKnown(tag: string): boolean {
    try {
        return Intl.DateTimeFormat.supportedLocalesOf(tag).length > 0;
    } catch {
        return false; // no language tag at all
    }
}
