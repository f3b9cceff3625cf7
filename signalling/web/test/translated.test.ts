/** Captions read in another language than they are spoken in. */
import {describe, expect, it} from 'vitest';
import {readCaption, type Caption} from '../src/state/active';
import {wantsTranslation, withLine, withTranslation} from '../src/state/captionlog';
import {readSettings} from '../src/state/settings';

function caption(more: object = {}): Caption {
    const read = readCaption({session_id: 's', user_id: 'u', text: 'Good morning', utterance_id: 'a', final: true, language: 'en', ...more}, 5);
    if (!read) {
        throw new Error('no caption');
    }
    return read;
}

describe('a line of captions in the language of who reads it', () => {
    it('is asked for once it is final and said in another language', () => {
        expect(wantsTranslation(caption(), 'de')).toBe(true);
        expect(wantsTranslation(caption(), 'en')).toBe(false);
        expect(wantsTranslation(caption({language: 'pt-BR'}), 'pt')).toBe(false);
        expect(wantsTranslation(caption(), '')).toBe(false);
        expect(wantsTranslation(caption({final: false}), 'de')).toBe(false);
        expect(wantsTranslation(caption({notice: true}), 'de')).toBe(false);
    });

    it('is never asked of a server that does not say in which language it heard', () => {
        expect(wantsTranslation(caption({language: undefined}), 'de')).toBe(false);
        expect(wantsTranslation(caption({utterance_id: undefined}), 'de')).toBe(false);
    });

    it('stands beside what was said, of that utterance and no other', () => {
        const [first, second] = [caption(), caption({utterance_id: 'b', text: 'Good night'})];
        const log = [first, second].reduce(withLine, []);
        const told = withTranslation(log, first, {language: 'de', text: 'Guten Morgen'});
        expect(told.map(({text, translated}) => [text, translated?.text])).toEqual([['Good morning', 'Guten Morgen'], ['Good night', undefined]]);
        expect(withTranslation(log, caption({session_id: 't'}), {language: 'de', text: 'x'})).toEqual(log);
    });

    it('is remembered as a wish', () => {
        expect(readSettings('{"captionLanguage":"fr"}').captionLanguage).toBe('fr');
        expect(readSettings('{"captionLanguage":7}').captionLanguage).toBe('');
    });
});
