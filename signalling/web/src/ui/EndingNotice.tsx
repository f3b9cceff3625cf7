/** That the own call ended without the person wanting it: in its channel, and below all else where that is not seen. */
import type {ReactNode} from 'react';
import {joinCall} from '../app/call';
import {isPassing} from '../peer/problems';
import {adviceOf, titleOf} from '../state/advice';
import {patch, useApp, type Ending} from '../state/app';
import {channelTitle} from '../state/chat';
import {isChannelSeen} from '../state/place';
import {say} from '../words/words';
import {CloseIcon} from './icons';
import {useViewport} from './viewport';

/** `whose`: the call in words, where its channel does not say it. */
export function EndingNotice({ending: {channelId, problem}, whose = ''}: {ending: Ending; whose?: string}): ReactNode {
    const online = useApp((state) => state.online);
    const off = useApp((state) => state.noCalls || ((state.callsOff[channelId] ?? false) && state.calls[channelId] === undefined));
    return (
        <div className={problem.code === 'moved' ? 'notice calm' : 'notice danger'} role="alert" data-testid="call-ending" data-code={problem.code}>
            <p className="grow">{whose !== '' && <span className="muted">{whose}<br/></span>}<strong>{titleOf(problem)}</strong> {adviceOf(problem)}</p>
            {isPassing(problem) && online && !off && (
                <button type="button" data-testid="rejoin-call" onClick={() => void joinCall(channelId)}>{say('chat_join_again')}</button>
            )}
            <button type="button" className="icon-button" aria-label={say('chat_dismiss')} onClick={() => patch({ending: null})}><CloseIcon/></button>
        </div>
    );
}

/** Beside another channel, the list of threads, and on a phone below the list and a thread. */
export function EndingBar(): ReactNode {
    const {narrow} = useViewport();
    const ending = useApp(({ending: one, chat, view}) => {
        const seen = one && isChannelSeen({inItsChannel: one.channelId === chat.channelId, listShown: view === 'list', threadShown: chat.threadId !== '', narrow});
        return seen ? null : one;
    });
    const whose = useApp(({chat}) => {
        const channel = ending ? chat.channels[ending.channelId] : undefined;
        return channel ? say('bar_call_in', {channel: channelTitle(chat, channel)}) : '';
    });
    return ending && <section className="call-bar" aria-label={whose || titleOf(ending.problem)} data-testid="ending-bar"><div className="notices"><EndingNotice ending={ending} whose={whose}/></div></section>;
}
