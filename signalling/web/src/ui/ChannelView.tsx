/** One channel: its header with the call button, notices, the call's stage, messages. */
import {useMemo, useState, type ReactNode} from 'react';
import {joinCall, leaveCall} from '../app/call';
import {goToNewest, loadEarlier, loadLater} from '../app/channels';
import {patch, useApp} from '../state/app';
import {channelTitle, replyCounts, rootsOf} from '../state/chat';
import {isIn} from '../state/ringing';
import {troubleOf} from '../state/trouble';
import {number, say} from '../words/words';
import {useCallPlace} from './call/place';
import {Composer} from './Composer';
import {EndingNotice} from './EndingNotice';
import {BackIcon, CloseIcon, PeopleIcon, PhoneIcon} from './icons';
import {Later} from './Later';
import {PostList} from './PostList';

export function ChannelView(): ReactNode {
    const chat = useApp((state) => state.chat);
    const channel = chat.channels[chat.channelId];
    const staged = useCallPlace() === 'stage';
    const wide = useApp((state) => state.active?.wide ?? false);
    const panel = useApp((state) => (state.active?.panel ?? null) !== null);
    const [about, setAbout] = useState('');
    const roots = useMemo(() => rootsOf(chat, chat.channelId), [chat.posts, chat.postIds, chat.reach, chat.channelId]);
    const replies = useMemo(() => replyCounts(chat, chat.channelId), [chat.posts, chat.postIds, chat.channelId]);
    if (!channel) {
        return <main className="channel empty"><p>{say('chat_choose_channel')}</p></main>;
    }
    const title = channelTitle(chat, channel);
    const apart = Boolean(chat.reach[channel.id]?.to);
    // A reply is found in its thread; its first message marks the place here.
    const inChannel = chat.posts[chat.found]?.root_id || chat.found;
    return (
        <main className="channel" id="channel" tabIndex={-1} aria-label={title} data-wide={staged && wide} data-panel={staged && panel}>
            <header className="channel-head">
                <button type="button" className="icon-button back" aria-label={say('chat_all_channels')} data-testid="all-channels" onClick={() => patch({view: 'list'})}><BackIcon/></button>
                <div className="grow channel-title">
                    <h1 className="ellipsis" dir="auto" title={title}>{title}</h1>
                    {channel.header !== '' && <p className="ellipsis muted topic" dir="auto" title={channel.header} data-testid="topic">{channel.header}</p>}
                </div>
                <button type="button" className="icon-button" aria-label={say('people_about', {name: title})} title={say('people_about_short')} data-testid="channel-info" onClick={() => setAbout(channel.id)}>
                    <PeopleIcon/>
                </button>
                <CallButton channelId={channel.id}/>
            </header>
            <Notices channelId={channel.id}/>
            {staged && <Later onFail={leaveCall}>{({CallStage}) => <CallStage/>}</Later>}
            {/* The field stands below the messages and comes before them for the keyboard. */}
            <div className="conversation">
                <Composer channelId={channel.id} rootId="" label={say('chat_write_to', {name: title})} testId="composer"/>
                <PostList
                    key={`${channel.id}/${inChannel}`} foundId={inChannel} onLater={apart ? () => loadLater(channel.id) : null} onNewest={() => void goToNewest(channel.id)} posts={roots} replies={replies} label={say('chat_messages_in', {name: title})} testId="post-list" startAt="end"
                    onEarlier={chat.complete[channel.id] === false ? () => loadEarlier(channel.id) : null} readUntil={chat.readUntil[channel.id] ?? 0}
                />
            </div>
            {about === channel.id && <Later onFail={() => setAbout('')}>{({ChannelDialog}) => <ChannelDialog channel={channel} onClose={() => setAbout('')}/>}</Later>}
        </main>
    );
}

function CallButton({channelId}: {channelId: string}): ReactNode {
    const call = useApp((state) => state.calls[channelId]);
    const here = useApp((state) => state.active?.channelId === channelId);
    const available = useApp((state) => state.callsConfig !== null);
    const off = useApp((state) => state.callsOff[channelId] ?? false);
    const elsewhere = useIsIn(channelId);
    // In it already, with another tab or device: the notice below has the ways.
    if (!available || here || elsewhere) {
        return null;
    }
    if (off && !call) {
        return <span className="muted" data-testid="calls-off">{say('bar_calls_off')}</span>;
    }
    const people = call ? new Set(Object.values(call.sessions).map(({userId}) => userId)).size : 0;
    return (
        <button type="button" className="primary call-button" data-testid={call ? 'join-call' : 'start-call'} onClick={() => void joinCall(channelId)}>
            <PhoneIcon/>
            <span>{say(call ? 'chat_join_call' : 'chat_start_call')}</span>
            {people > 0 && <span className="count" aria-label={say('chat_in_call', {count: people})}>{number(people)}</span>}
        </button>
    );
}

/** The person is in the call of the channel, with this page or another tab or device. */
function useIsIn(channelId: string): boolean {
    return useApp(({calls, chat}) => {
        const running = calls[channelId];
        return running !== undefined && isIn(running, chat.me?.id ?? '');
    });
}

/** One trouble at a time: what hangs together with the server being away is told once. */
export function Notices({channelId}: {channelId: string}): ReactNode {
    const online = useApp((state) => state.online);
    const fault = useApp((state) => state.fault);
    const ending = useApp((state) => (state.ending?.channelId === channelId ? state.ending : null));
    const joined = useApp((state) => state.active?.channelId === channelId);
    const elsewhere = useIsIn(channelId);
    const trouble = troubleOf(online, ending !== null, fault);
    return (
        <div className="notices">
            {trouble === 'offline' && <p className="notice" role="status" data-testid="offline">{say('chat_offline')}</p>}
            {trouble === 'fault' && (
                <div className="notice" role="alert">
                    <p className="grow">{fault}</p>
                    <button type="button" className="icon-button" aria-label={say('chat_dismiss')} onClick={() => patch({fault: ''})}><CloseIcon/></button>
                </div>
            )}
            {trouble === 'ending' && ending && <EndingNotice ending={ending}/>}
            {elsewhere && !joined && <Later onFail={() => undefined}>{({Elsewhere}) => <Elsewhere channelId={channelId}/>}</Later>}
        </div>
    );
}
