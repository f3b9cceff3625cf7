/** The own call while another channel is on the screen: where it is, and the way back. */
import type {ReactNode} from 'react';
import {leaveCall} from '../../app/call';
import {openChannel} from '../../app/channels';
import {useApp} from '../../state/app';
import {channelTitle} from '../../state/chat';
import {LeaveIcon} from '../icons';
import {ConnectionStatus} from './CallStage';
import {ControlButton, MuteButton} from './Controls';
import {useShortcuts} from './shortcuts';
import {StageNotices} from './StageNotices';

export function CallBar(): ReactNode {
    const elsewhere = useApp((state) => state.active !== null && (state.active.channelId !== state.chat.channelId || state.view === 'list'));
    const narrowOnly = useApp((state) => state.active?.channelId === state.chat.channelId);
    return elsewhere ? <Bar narrowOnly={narrowOnly}/> : null;
}

/** `narrowOnly`: the stage is on the screen too, except where the list covers it. */
function Bar({narrowOnly}: {narrowOnly: boolean}): ReactNode {
    const channelId = useApp((state) => state.active?.channelId ?? '');
    const title = useApp((state) => {
        const channel = state.chat.channels[channelId];
        return channel ? channelTitle(state.chat, channel) : '';
    });
    return (
        <section className="call-bar" aria-label="Your call" data-testid="call-bar" data-narrow-only={narrowOnly}>
            <button type="button" className="grow bar-title" data-testid="return-to-call" onClick={() => void openChannel(channelId)}>
                <strong className="ellipsis">Call in {title}</strong>
                <span className="muted">Back to the call</span>
            </button>
            {narrowOnly ? null : <BarParts/>}
        </section>
    );
}

/** Only where the stage is not there: names and shortcuts must stand for one thing each. */
function BarParts(): ReactNode {
    useShortcuts();
    return (
        <>
            <ConnectionStatus/>
            <span className="grow"/>
            <MuteButton/>
            <ControlButton label="Leave" testId="leave-call" icon={<LeaveIcon/>} kind="danger" onClick={leaveCall}/>
            <StageNotices/>
        </>
    );
}
