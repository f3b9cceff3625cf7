/** To a person who is in this call with another tab or device as well: where, and the way to have it here only. */
import {useEffect, useState, type ReactNode} from 'react';
import {joinCall} from '../../app/call';
import {secondClient} from '../../app/own';
import {askTabs, leaveElsewhere, switchHere} from '../../app/tabs';
import {useApp} from '../../state/app';
import {ownElsewhere} from '../../state/ringing';
import {say} from '../../words/words';

/** A page that was just reloaded is in the call twice until the server missed it. */
const SETTLE_MS = 1500;

export function Elsewhere({channelId}: {channelId: string}): ReactNode {
    const others = useApp((state) => {
        const here = state.active?.channelId === channelId ? state.active : null;
        // Before the page has its own session, it cannot tell which is the other.
        return here && here.connection !== 'connected' ? '' : ownElsewhere(state.calls[channelId], state.chat.me?.id ?? '', here?.sessionId ?? '').filter((id) => id !== secondClient()?.sessionId).join();
    });
    const joined = useApp((state) => state.active?.channelId === channelId);
    const where = useWhere(channelId, others);
    const [moving, setMoving] = useState(false);
    if (!where) {
        return null;
    }
    const move = (): void => {
        setMoving(true);
        void switchHere(channelId, others.split(',')).finally(() => setMoving(false));
    };
    return (
        <div className="notice calm" role="status" data-testid="elsewhere" data-where={where}>
            <p className="grow">{say(where === 'tab' ? 'bar_in_tab' : joined ? 'bar_on_device_too' : 'bar_on_device')}</p>
            <div className="notice-actions">
                {(where === 'tab' || !joined) && <button type="button" className="primary" disabled={moving} data-testid="switch-here" onClick={move}>{say('bar_switch')}</button>}
                {!joined && <button type="button" data-testid="join-too" onClick={() => void joinCall(channelId, false)}>{say('bar_join_too')}</button>}
                <button type="button" data-testid="leave-there" onClick={() => void leaveElsewhere(channelId, others.split(','))}>{say('bar_leave_there')}</button>
            </div>
        </div>
    );
}

/** Null while unknown, or when the person is nowhere else. `others` names the sessions. */
function useWhere(channelId: string, others: string): 'tab' | 'device' | null {
    const [where, setWhere] = useState<{others: string; at: 'tab' | 'device'} | null>(null);
    useEffect(() => {
        if (others === '') {
            return undefined;
        }
        let wanted = true;
        const timer = setTimeout(() => {
            void askTabs(channelId).then((tab) => wanted && setWhere({others, at: tab ? 'tab' : 'device'}));
        }, SETTLE_MS);
        return () => {
            wanted = false;
            clearTimeout(timer);
        };
    }, [channelId, others]);
    return where && others !== '' && where.others === others ? where.at : null;
}
