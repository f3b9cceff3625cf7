/** Live captions: the latest words of each speaker, gone 5 s after they came. */
import type {ReactNode} from 'react';
import {useApp} from '../../state/app';
import {isRunning} from '../../state/calls';
import {displayName} from '../../state/chat';

/** More than this many speakers at once nobody can read. */
const MAX_LINES = 3;

export function Captions(): ReactNode {
    const captions = useApp((state) => state.active?.captions);
    const shown = useApp((state) => state.active?.showCaptions ?? false);
    const users = useApp((state) => state.chat.users);
    const running = useApp((state) => isRunning(state.active ? state.calls[state.active.channelId]?.captions ?? null : null));
    if (!shown || !captions || (captions.length === 0 && !running)) {
        return null;
    }
    return (
        // Not announced: a screen reader's user hears the speaker.
        <div className="captions" aria-live="off" role="region" aria-label="Live captions" data-testid="captions" data-count={captions.length}>
            {captions.length === 0 && <p className="muted">Captions appear here when somebody speaks.</p>}
            {captions.slice(-MAX_LINES).map(({sessionId, userId, text}) => (
                <p key={sessionId} data-testid="caption" data-session={sessionId}>
                    <strong>{displayName(users[userId])}</strong> <span>{text}</span>
                </p>
            ))}
        </div>
    );
}
