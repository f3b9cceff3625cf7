/**
 * A dialog whose script and words are fetched after the first screen: the page is light, and by the time somebody
 * opens one it is there, also when the server is away then.
 */
import {useEffect, useState, type ReactNode} from 'react';
import {learnTheRest} from '../app/look';
import {patch} from '../state/app';
import {say} from '../words/words';

type Dialogs = typeof import('./dialogs');

let fetched: Dialogs | null = null;

async function fetchDialogs(): Promise<Dialogs> {
    if (!fetched) {
        const [dialogs] = await Promise.all([import('./dialogs'), learnTheRest()]);
        fetched = dialogs;
    }
    return fetched;
}

/** Fetches them when the browser has nothing else to do. */
export function fetchDialogsSoon(): void {
    setTimeout(() => void fetchDialogs().catch(() => undefined), 1500); // else they are fetched when one opens
}

export function Later({onFail, children}: {onFail: () => void; children: (dialogs: Dialogs) => ReactNode}): ReactNode {
    const [dialogs, setDialogs] = useState(fetched);
    useEffect(() => {
        if (!dialogs) {
            fetchDialogs().then(setDialogs).catch(() => {
                patch({fault: say('chat_why_offline')});
                onFail();
            });
        }
    });
    return dialogs && children(dialogs);
}
