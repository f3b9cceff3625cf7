/**
 * Language and colours of the page: chosen by the person, remembered in this browser.
 *
 * Out: `lang`, `dir` and `data-theme` of the document, and the words the page says.
 */
import {api} from '../api/rest';
import {patch, store, type Theme} from '../state/app';
import {languageFor, LANGUAGES, laterMessagesOf, localeFor, messagesOf} from '../words/languages';
import {currentLanguage, directionOf, learn, speak, type Messages} from '../words/words';

const LANGUAGE_KEY = 'parley.language';
const THEME_KEY = 'parley.theme';

/** Chosen, and not yet known to the server. */
let untold = '';

/** The dialogs are there: from then on a language is spoken whole. */
let whole = false;

/** Before anything is shown: a page that changes its language while one reads it is no help. */
export async function beginLook(): Promise<void> {
    showTheme(themeOf(remembered(THEME_KEY)));
    const chosen = remembered(LANGUAGE_KEY);
    await speakNow(LANGUAGES.some(({tag}) => tag === chosen) ? chosen : languageFor(navigator.languages));
}

export async function chooseLanguage(tag: string): Promise<void> {
    remember(LANGUAGE_KEY, tag);
    untold = tag;
    await Promise.all([speakNow(tag), tellLanguage()]);
}

/** What was chosen belongs to the profile: what the server itself writes for the person is in it. */
export async function tellLanguage(): Promise<void> {
    const tag = untold;
    if (tag === '' || !store.get().chat.me) {
        return; // chosen before the sign-in, which tells it
    }
    untold = '';
    try {
        await api.patchMe({locale: tag});
    } catch (error) {
        console.warn('parley: the profile does not know the language', error);
    }
}

/** The words of the dialogs; rejects when they cannot be fetched. */
export async function learnTheRest(): Promise<void> {
    whole = true;
    const tag = currentLanguage();
    learn(await laterMessagesOf(tag), tag);
}

export function chooseTheme(theme: Theme): void {
    remember(THEME_KEY, theme);
    showTheme(theme);
}

async function speakNow(tag: string): Promise<void> {
    let spoken = tag;
    try {
        const words = await Promise.all([messagesOf(tag), whole ? laterMessagesOf(tag) : {}]);
        speak(tag, Object.assign({}, ...words) as Messages, localeFor(tag, navigator.languages));
    } catch (error) {
        console.warn('parley: the words of the language could not be fetched', error);
        spoken = 'en';
        speak('en', await messagesOf('en'), localeFor('en', navigator.languages));
    }
    document.documentElement.lang = spoken;
    document.documentElement.dir = directionOf(spoken);
    if (store.get().language !== spoken) {
        patch({language: spoken, announcement: ''}); // what was announced was in the language before
    }
}

function showTheme(theme: Theme): void {
    document.documentElement.dataset['theme'] = theme;
    patch({theme});
}

function themeOf(value: string): Theme {
    return value === 'light' || value === 'dark' ? value : 'system';
}

function remembered(key: string): string {
    try {
        return localStorage.getItem(key) ?? '';
    } catch {
        return ''; // storage may be switched off
    }
}

function remember(key: string, value: string): void {
    try {
        localStorage.setItem(key, value);
    } catch {
        // then the choice holds for as long as the page lives
    }
}
