/**
 * What the page says, by key: one message file per language, English in two. `en.json` is part of the
 * page; `en-later.json` has what only the dialogs say, and comes with their script.
 *
 * A message with a number has one form per plural of its language (`people_one`, `people_other`, as
 * `Intl.PluralRules` names them), chosen by the value `count`. Names inside a message are isolated,
 * so that a name of the other direction does not scramble it.
 */
import type later from './en-later.json';
import en from './en.json';

type Plain = keyof typeof en | keyof typeof later;
type Plural<K> = K extends `${infer Base}_other` ? Base : never;
export type Key = Plain | Plural<Plain>;
export type Messages = Readonly<Record<string, string>>;
export type Direction = 'ltr' | 'rtl';

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
const RIGHT_TO_LEFT_LANGUAGES = ['ar', 'fa', 'he', 'ur'];

let language = 'en';
let locale = 'en';
let english: Messages = en;
let messages: Messages = en;
let plurals = new Intl.PluralRules(language);
let numbers = new Intl.NumberFormat(language);

/** The language of the page as a BCP 47 tag. */
export function currentLanguage(): string {
    return language;
}

/** How dates, times and numbers are written: the language with the region of the person. */
export function currentLocale(): string {
    return locale;
}

export function directionOf(tag: string): Direction {
    return RIGHT_TO_LEFT_LANGUAGES.includes(tag.split('-')[0] ?? '') ? 'rtl' : 'ltr';
}

/** Speaks another language from now on; a key it lacks is said in English. */
export function speak(tag: string, words: Messages, regional = tag): void {
    language = tag;
    locale = regional;
    messages = words;
    plurals = new Intl.PluralRules(tag);
    numbers = new Intl.NumberFormat(regional);
}

/** What comes after the first screen; of a language that is not spoken any more it is not kept. */
export function learn(more: Messages, tag = 'en'): void {
    if (tag === 'en') {
        english = {...english, ...more};
    } else if (tag === language) {
        messages = {...messages, ...more};
    }
}

/** The message of `key`, with `{name}` replaced by `values.name`. */
export function say(key: Key, values: Readonly<Record<string, string | number>> = {}): string {
    return text(key, values.count).replace(/\{(\w+)\}/g, (whole, name: string) => {
        const value = values[name];
        return value === undefined ? whole : typeof value === 'number' ? numbers.format(value) : isolated(value);
    });
}

/** In the digits of the person's region. */
export function number(value: number): string {
    return numbers.format(value);
}

/** One after the other, each kept apart from its neighbours; what is empty is left out. */
export function listed(parts: readonly string[]): string {
    return parts.filter((part) => part !== '').map(isolated).join(say('chat_list_comma'));
}

function text(key: string, count: string | number | undefined): string {
    const form = typeof count === 'number' ? `${key}_${plurals.select(count)}` : key;
    return messages[form] ?? messages[key] ?? messages[`${key}_other`] ?? english[form] ?? english[`${key}_other`] ?? english[key] ?? key;
}

function isolated(value: string): string {
    return RIGHT_TO_LEFT.test(value) || directionOf(language) === 'rtl' ? `\u2068${value}\u2069` : value;
}
