/** A block of code in a message: the name of its language, a button that copies it, its colours. Elements only, never HTML. */
import {useEffect, useInsertionEffect, useState, type ReactNode} from 'react';
import {coloursOf, knownColours, type Colours} from '../app/codecolours';
import {languageOf} from '../state/codelanguages';
import css from '../styles/code.css?inline';
import {say} from '../words/words';
import {copy} from './copy';

const COPIED_MS = 2000;

let dressed = false;

/** Its styles are no part of the page's: they would be in everybody's first visit. */
function dress(): void {
    if (!dressed) {
        dressed = true;
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        document.adoptedStyleSheets.push(sheet);
    }
}

/** `info`: what stands after the fence. */
export function CodeBlock({text, info}: {text: string; info: string}): ReactNode {
    const language = languageOf(info);
    const pieces = useColours(text, language?.id ?? '');
    useInsertionEffect(dress, []);
    return (
        <pre dir="ltr" data-testid="code-block" data-language={language?.id}>
            <span className="code-head">
                {language && <span data-testid="code-language">{language.name}</span>}
                <CopyButton text={text}/>
            </span>
            <code>
                {pieces?.map((piece, index) => (piece.colour === 'plain' ? piece.text : <span key={index} className={`code-${piece.colour}`}>{piece.text}</span>)) ?? text}
            </code>
        </pre>
    );
}

/** Null until they are known, and for what stays plain. */
function useColours(code: string, language: string): Colours {
    const [known, setKnown] = useState(() => ({code, language, pieces: knownColours(code, language)}));
    useEffect(() => {
        let isShown = true;
        void coloursOf(code, language).then((pieces) => isShown && setKnown({code, language, pieces}));
        return () => {
            isShown = false;
        };
    }, [code, language]);
    return known.code === code && known.language === language ? known.pieces : null;
}

function CopyButton({text}: {text: string}): ReactNode {
    const [isCopied, setCopied] = useState(false);
    useEffect(() => {
        const timer = isCopied ? setTimeout(() => setCopied(false), COPIED_MS) : undefined;
        return () => clearTimeout(timer);
    }, [isCopied]);
    return (
        <button type="button" className="icon-button code-copy" aria-label={say('chat_copy_code')} title={say(isCopied ? 'chat_copied' : 'chat_copy_code')} data-testid="copy-code" data-copied={isCopied} onClick={() => void copy(text).then(setCopied)}>
            <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
                {isCopied ? <path d="m5 12.5 4.5 4.5L19 7.5"/> : <><rect x="9" y="9" width="11" height="11" rx="2"/><path d="M5 15a1 1 0 0 1-1-1V5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1"/></>}
            </svg>
        </button>
    );
}
