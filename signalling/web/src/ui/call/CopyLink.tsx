/** Copies the address by which others come into the call. */
import {useEffect, useState, type ReactNode} from 'react';
import {callLink} from '../../app/location';
import {announce, useApp} from '../../state/app';
import {say} from '../../words/words';
import {LinkIcon} from '../icons';

const SAID_MS = 3000;

export function CopyLink({channelId}: {channelId: string}): ReactNode {
    const team = useApp((state) => state.chat.teams.find(({id}) => id === state.chat.teamId)?.name ?? '');
    const [outcome, setOutcome] = useState('');
    useEffect(() => {
        if (outcome === '') {
            return undefined;
        }
        const timer = setTimeout(() => setOutcome(''), SAID_MS);
        return () => clearTimeout(timer);
    }, [outcome]);
    const copy = async (): Promise<void> => {
        const link = callLink(location.origin, team, channelId);
        try {
            await navigator.clipboard.writeText(link);
            setOutcome(say('bar_link_copied'));
            announce(say('bar_link_copied'));
        } catch {
            // No clipboard on pages without https: there it is shown, to be copied by hand.
            window.prompt(say('bar_link_copy'), link);
        }
    };
    return (
        <>
            {outcome !== '' && <span className="muted">{outcome}</span>}
            <button type="button" className="icon-button" aria-label={say('bar_link_copy')} title={say('bar_link_copy')} data-testid="copy-call-link" onClick={() => void copy()}>
                <LinkIcon/>
            </button>
        </>
    );
}
