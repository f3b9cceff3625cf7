import {afterEach, expect, test} from 'vitest';
import en from '../src/words/en.json';
import {say, speak} from '../src/words/words';

afterEach(() => speak('en', en));

test('a number chooses the form of its language', () => {
    expect(say('people', {count: 1})).toBe('1 person');
    expect(say('people', {count: 1200})).toBe('1,200 people');
    speak('pl', {people_one: '{count} osoba', people_few: '{count} osoby', people_many: '{count} osób', people_other: '{count} osoby'});
    expect(say('people', {count: 3})).toBe('3 osoby');
    expect(say('people', {count: 5})).toBe('5 osób');
});

test('what a language lacks is said in English', () => {
    speak('de', {});
    expect(say('people', {count: 2})).toBe('2 people');
});

test('a name of the other direction is kept apart from the message', () => {
    speak('de', {people_other: 'Hallo {name}'});
    expect(say('people', {name: 'אבי'})).toBe('Hallo \u2068אבי\u2069');
    expect(say('people', {name: 'Ada'})).toBe('Hallo Ada');
});
