import {describe, expect, test} from 'vitest';
import later from '../src/words/en-later.json';
import en from '../src/words/en.json';
import {languageFor, LANGUAGES, laterMessagesOf, localeFor, messagesOf} from '../src/words/languages';
import {lasted} from '../src/state/lasting';
import {clock, elapsed, lately, moment, percent, size} from '../src/ui/time';
import {currentLocale, directionOf, listed, say, speak, type Messages} from '../src/words/words';

/** French, Spanish and Portuguese have a form for millions, of which there are none here. */
const RARE = 'many';
const MILLIONS = ['es', 'fr', 'pt-BR'];
/** Values that are numbers. */
const NUMBERS = ['count', 'others'];

const english: Readonly<Record<string, string>> = {...en, ...later};
const plurals = Object.keys(english).filter((key) => key.endsWith('_other') && `${key.slice(0, -6)}_one` in english).map((key) => key.slice(0, -6));
const isPlural = (key: string): boolean => plurals.some((base) => key === `${base}_one` || key === `${base}_other`);
const holes = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''))].sort();

const wordsOf = async (tag: string): Promise<Messages> => ({...await messagesOf(tag), ...await laterMessagesOf(tag)});

describe.each(LANGUAGES.filter(({tag}) => tag !== 'en'))('$tag', ({tag}) => {
    const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.filter((form) => !(MILLIONS.includes(tag) && form === RARE));
    const wanted = [...Object.keys(english).filter((key) => !isPlural(key)), ...plurals.flatMap((base) => forms.map((form) => `${base}_${form}`))];

    test('says what English says, and nothing else', async () => {
        const words = await wordsOf(tag);
        expect(wanted.filter((key) => !(key in words))).toEqual([]);
        expect(Object.keys(words).filter((key) => !wanted.includes(key))).toEqual([]);
    });

    test('comes in two parts, as English does', async () => {
        const firstKeys = wanted.filter((key) => key in en || key.replace(/_(zero|one|two|few|many)$/, '_other') in en);
        expect(Object.keys(await messagesOf(tag)).sort()).toEqual(firstKeys.sort());
        expect(Object.keys(later).filter((key) => key in en)).toEqual([]);
    });

    test('has the same values in every message', async () => {
        const words = await wordsOf(tag);
        for (const [key, text] of Object.entries(words)) {
            const base = plurals.find((one) => forms.some((form) => key === `${one}_${form}`));
            const model = holes(english[key] ?? english[`${base ?? ''}_other`] ?? '');
            // A form for exactly one, two or none may say so in a word instead of a number.
            const rest = /_(zero|one|two)$/.test(key) ? model.filter((name) => !NUMBERS.includes(name) || holes(text).includes(name)) : model;
            expect(holes(text), `${tag} ${key}`).toEqual(rest);
            expect(text.trim(), `${tag} ${key}`).not.toBe('');
        }
    });
});

test('the browser is asked, a region is no hindrance, and English is for everybody else', () => {
    expect(languageFor(['de-AT', 'en'])).toBe('de');
    expect(languageFor(['pt-PT'])).toBe('pt-BR');
    expect(languageFor(['xx', 'ar-EG', 'en'])).toBe('ar');
    expect(languageFor(['ja', 'ko'])).toBe('en');
    expect(languageFor([])).toBe('en');
});

test('dates are written as where the person is', () => {
    expect(localeFor('en', ['de', 'en-GB'])).toBe('en-GB');
    expect(localeFor('de', ['en-GB'])).toBe('de');
    expect(localeFor('en', ['en_bad!'])).toBe('en');
});

test('Arabic has six plurals and goes from right to left', async () => {
    speak('ar', await messagesOf('ar'));
    expect([0, 1, 2, 3, 11, 100].map((count) => say('people', {count}).replace(/[\d٠-٩]+/, '#'))).toEqual(['لا أحد', 'شخص واحد', 'شخصان', '# أشخاص', '# شخصًا', '# شخص']);
    expect(say('chat_write_to', {name: 'Ada'})).toContain('\u2068Ada\u2069');
    expect([directionOf('ar'), directionOf('de'), directionOf('pt-BR')]).toEqual(['rtl', 'ltr', 'ltr']);
    speak('de', await messagesOf('de'), 'de-AT');
    expect(currentLocale()).toBe('de-AT');
    expect(say('people', {count: 1200})).toBe('1.200 Personen'.replace('.', new Intl.NumberFormat('de-AT').format(1200).charAt(1)));
    speak('en', en);
});

test.each([
    ['en', '1 min 40 sec', '1:02:03', '3.4 MB', 'Ada, Ben'],
    ['de', '1 Min., 40 Sek.', '1:02:03', '3,4 MB', 'Ada, Ben'],
    ['fr', '1 min 40 s', '1:02:03', '3,4 Mo', 'Ada, Ben'],
    ['ar-EG', '١ د و٤٠ ث', '١:٠٢:٠٣', '٣٫٤ م.ب', 'Ada، Ben'],
])('times, sizes and lists are written as in %s', async (locale, time, clock, bytes, names) => {
    const tag = languageFor([locale]);
    speak(tag, await messagesOf(tag), locale);
    const plain = (text: string): string => text.replace(/[\u2068\u2069\u200e\u200f\u061c]/g, '').replace(/[\u00a0\u202f]/g, ' ');
    expect([lasted(100_000), elapsed(3_723_000), size(3_400_000), listed(['Ada', '', 'Ben'])].map(plain)).toEqual([time, clock, bytes, names]);
    expect(percent(0.5)).toBe(new Intl.NumberFormat(locale, {style: 'percent'}).format(0.5));
    speak('en', en);
});

test('what is from today is told without its day', () => {
    const now = Date.now();
    expect(lately(now)).toBe(clock(now));
    expect(lately(now - 40 * 86_400_000)).toBe(moment(now - 40 * 86_400_000));
    expect(moment(now)).not.toBe(clock(now));
});
