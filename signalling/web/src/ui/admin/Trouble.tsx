/** What is wrong, in the reader's language where it is known, with the server's own words for whoever looks into it. */
import type {ReactNode} from 'react';
import {troubleWords} from '../../state/troublewords';

export function Trouble({text}: {text: string}): ReactNode {
    const words = troubleWords(text);
    return (
        <span className="trouble" data-testid="trouble" data-known={words !== ''}>
            {words !== '' && <strong>{words}</strong>} <bdi className="muted" lang="en" dir="ltr">{text}</bdi>
        </span>
    );
}
