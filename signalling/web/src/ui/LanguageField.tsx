/** The choice of the page's language; each language is named in itself. */
import {useId, type ReactNode} from 'react';
import {chooseLanguage} from '../app/look';
import {useApp} from '../state/app';
import {LANGUAGES} from '../words/languages';
import {say} from '../words/words';

export function LanguageField(): ReactNode {
    const id = useId();
    const language = useApp((state) => state.language);
    return (
        <div className="field">
            <label htmlFor={id}>{say('sign_language')}</label>
            <select id={id} value={language} data-testid="language" onChange={(event) => void chooseLanguage(event.target.value)}>
                {LANGUAGES.map(({tag, name}) => <option key={tag} value={tag} lang={tag}>{name}</option>)}
            </select>
        </div>
    );
}
