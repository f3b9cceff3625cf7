import {describe, expect, test} from 'vitest';
import later from '../src/words/en-later.json';
import en from '../src/words/en.json';
import {languageFor, LANGUAGES, localeFor, messagesOf} from '../src/words/languages';
import {currentLocale, directionOf, say, speak} from '../src/words/words';

/** French, Spanish and Portuguese have a form for millions, of which there are none here. */
const RARE = 'many';
const MILLIONS = ['es', 'fr', 'pt-BR'];

const english: Readonly<Record<string, string>> = {...en, ...later};
const plurals = Object.keys(english).filter((key) => key.endsWith('_other') && `${key.slice(0, -6)}_one` in english).map((key) => key.slice(0, -6));
const isPlural = (key: string): boolean => plurals.some((base) => key === `${base}_one` || key === `${base}_other`);
const holes = (text: string): string[] => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? ''))].sort();

describe.each(LANGUAGES.filter(({tag}) => tag !== 'en'))('$tag', ({tag}) => {
    const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories.filter((form) => !(MILLIONS.includes(tag) && form === RARE));
    const wanted = [...Object.keys(english).filter((key) => !isPlural(key)), ...plurals.flatMap((base) => forms.map((form) => `${base}_${form}`))];

    test('says what English says, and nothing else', async () => {
        const words = await messagesOf(tag);
        expect(wanted.filter((key) => !(key in words))).toEqual([]);
        expect(Object.keys(words).filter((key) => !wanted.includes(key))).toEqual([]);
    });

    test('has the same values in every message', async () => {
        const words = await messagesOf(tag);
        for (const [key, text] of Object.entries(words)) {
            const base = plurals.find((one) => forms.some((form) => key === `${one}_${form}`));
            const model = holes(english[key] ?? english[`${base ?? ''}_other`] ?? '');
            // A form for exactly one, two or none may say so in a word instead of a number.
            const rest = /_(zero|one|two)$/.test(key) ? model.filter((name) => name !== 'count' || holes(text).includes('count')) : model;
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
