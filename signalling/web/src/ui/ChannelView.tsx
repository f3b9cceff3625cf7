/** One channel: its header with the call button, notices, the call's stage, messages. */
import {useMemo, type ReactNode} from 'react';
import {joinCall} from '../app/call';
import {loadEarlier} from '../app/channels';
import {patch, useApp} from '../state/app';
import {channelTitle, replyCounts, rootsOf} from '../state/chat';
import {CallStage} from './call/CallStage';
import {Composer} from './Composer';
import {BackIcon, CloseIcon, PhoneIcon} from './icons';
import {PostList} from './PostList';

export function ChannelView(): ReactNode {
    const chat = useApp((state) => state.chat);
    const channel = chat.channels[chat.channelId];
    const staged = useApp((state) => state.active !== null && state.active.channelId === state.chat.channelId);
    const wide = useApp((state) => state.active?.wide ?? false);
    const roots = useMemo(() => rootsOf(chat, chat.channelId), [chat]);
    const replies = useMemo(() => replyCounts(chat, chat.channelId), [chat]);
    if (!channel) {
        return <main className="channel empty"><p>Choose a channel.</p></main>;
    }
    const title = channelTitle(chat, channel);
    return (
        <main className="channel" id="channel" tabIndex={-1} aria-label={title} data-wide={staged && wide}>
            <header className="channel-head">
                <button type="button" className="icon-button back" aria-label="All channels" onClick={() => patch({view: 'list'})}><BackIcon/></button>
                <h1 className="grow ellipsis">{title}</h1>
                <CallButton channelId={channel.id}/>
            </header>
            <Notices channelId={channel.id}/>
            {staged && <CallStage/>}
            <div className="conversation">
                <PostList
                    key={channel.id} posts={roots} replies={replies} label={`Messages in ${title}`} testId="post-list" startAt="end"
                    onEarlier={chat.complete[channel.id] ? null : () => void loadEarlier(channel.id)}
                />
                <Composer channelId={channel.id} rootId="" label={`Write to ${title}`} testId="composer"/>
            </div>
        </main>
    );
}

function CallButton({channelId}: {channelId: string}): ReactNode {
    const call = useApp((state) => state.calls[channelId]);
    const here = useApp((state) => state.active?.channelId === channelId);
    const available = useApp((state) => state.callsConfig !== null);
    if (!available || here) {
        return null;
    }
    const people = call ? new Set(Object.values(call.sessions).map(({userId}) => userId)).size : 0;
    return (
        <button type="button" className="primary call-button" data-testid={call ? 'join-call' : 'start-call'} onClick={() => void joinCall(channelId)}>
            <PhoneIcon/>
            <span>{call ? 'Join call' : 'Start call'}</span>
            {people > 0 && <span className="count" aria-label={`${people} in the call`}>{people}</span>}
        </button>
    );
}

function Notices({channelId}: {channelId: string}): ReactNode {
    const online = useApp((state) => state.online);
    const fault = useApp((state) => state.fault);
    const ending = useApp((state) => state.ending);
    return (
        <div className="notices">
            {!online && <p className="notice" role="status" data-testid="offline">The connection to the server is interrupted. Trying again…</p>}
            {fault !== '' && (
                <div className="notice" role="alert">
                    <p className="grow">{fault}</p>
                    <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => patch({fault: ''})}><CloseIcon/></button>
                </div>
            )}
            {ending && ending.channelId === channelId && (
                <div className="notice danger" role="alert" data-testid="call-ending" data-code={ending.problem.code}>
                    <p className="grow"><strong>{ending.problem.title}</strong> {ending.problem.advice}</p>
                    {ending.canRejoin && (
                        <button type="button" data-testid="rejoin-call" onClick={() => void joinCall(channelId)}>Join again</button>
                    )}
                    <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => patch({ending: null})}><CloseIcon/></button>
                </div>
            )}
        </div>
    );
}
