/** Channels and direct messages, and who is signed in. */
import type {Channel} from '@mattermost/types/channels';
import {useState, type ReactNode} from 'react';
import {openChannel} from '../app/channels';
import {askToSignOut} from '../app/session';
import {patch, useApp} from '../state/app';
import {channelKey, channelTitle, displayName, teammateId} from '../state/chat';
import {AddDialog, type AddKind} from './AddDialog';
import {Avatar} from './Avatar';
import {say} from '../words/words';
import {BellIcon, HashIcon, LockIcon, PhoneIcon, PlusIcon, SignOutIcon} from './icons';
import {BrandMark} from './SignIn';

export function Sidebar(): ReactNode {
    const siteName = useApp((state) => state.siteName);
    const chat = useApp((state) => state.chat);
    const [adding, setAdding] = useState<AddKind | null>(null);
    const all = Object.values(chat.channels);
    const byTitle = (a: Channel, b: Channel): number => channelTitle(chat, a).localeCompare(channelTitle(chat, b));
    const rooms = all.filter(({type}) => type === 'O' || type === 'P').sort(byTitle);
    const directs = all.filter(({type}) => type === 'D' || type === 'G').sort(byTitle);
    const team = chat.teams.find(({id}) => id === chat.teamId);
    return (
        <nav className="sidebar" aria-label="Channels">
            <header>
                <h1 className="brand"><BrandMark/><span className="ellipsis">{team?.display_name || siteName}</span></h1>
            </header>
            <div className="lists">
                <Section title="Channels" action="Add a channel" testId="add-channel" onAdd={() => setAdding('channel')}>
                    {rooms.map((channel) => <Entry key={channel.id} channel={channel}/>)}
                </Section>
                <Section title="Direct messages" action="Write to somebody" testId="new-direct" onAdd={() => setAdding('direct')}>
                    {directs.map((channel) => <Entry key={channel.id} channel={channel}/>)}
                </Section>
            </div>
            <footer>
                <Avatar name={displayName(chat.me ?? undefined)} id={chat.me?.id ?? ''}/>
                <span className="grow ellipsis">{displayName(chat.me ?? undefined)}</span>
                <button type="button" className="icon-button" aria-label={say('ring_alerts')} title={say('ring_alerts')} data-testid="sound-settings" onClick={() => patch({question: {kind: 'alerts'}})}>
                    <BellIcon/>
                </button>
                <button type="button" className="icon-button" aria-label="Sign out" title="Sign out" data-testid="sign-out" onClick={askToSignOut}>
                    <SignOutIcon/>
                </button>
            </footer>
            {adding && <AddDialog kind={adding} onClose={() => setAdding(null)}/>}
        </nav>
    );
}

interface SectionProps {
    title: string;
    action: string;
    testId: string;
    onAdd: () => void;
    children: ReactNode;
}

function Section({title, action, testId, onAdd, children}: SectionProps): ReactNode {
    return (
        <section>
            <div className="section-head">
                <h2>{title}</h2>
                <button type="button" className="icon-button" aria-label={action} title={action} data-testid={testId} onClick={onAdd}><PlusIcon/></button>
            </div>
            <ul>{children}</ul>
        </section>
    );
}

function Entry({channel}: {channel: Channel}): ReactNode {
    const chat = useApp((state) => state.chat);
    const call = useApp((state) => state.calls[channel.id]);
    const unread = chat.unread[channel.id] ?? 0;
    const current = chat.channelId === channel.id;
    const title = channelTitle(chat, channel);
    const label = [title, call ? 'call in progress' : '', unread > 0 ? `${unread} unread` : ''].filter((part) => part !== '').join(', ');
    return (
        <li>
            <button
                type="button" className="entry" aria-current={current ? 'page' : undefined} data-unread={unread > 0} aria-label={label}
                data-testid={`channel-${channelKey(chat, channel)}`} onClick={() => void openChannel(channel.id)}
            >
                <Mark channel={channel}/>
                <span className="grow ellipsis">{title}</span>
                {call && <span className="live" title="Call in progress"><PhoneIcon/></span>}
                {unread > 0 && <span className="badge">{unread > 99 ? '99+' : unread}</span>}
            </button>
        </li>
    );
}

function Mark({channel}: {channel: Channel}): ReactNode {
    const chat = useApp((state) => state.chat);
    if (channel.type === 'D') {
        const id = teammateId(channel, chat.me?.id ?? '');
        return <Avatar name={displayName(chat.users[id])} id={id}/>;
    }
    return channel.type === 'P' ? <LockIcon/> : <HashIcon/>;
}
