/** Channels and direct messages, and who is signed in. */
import type {Channel} from '@mattermost/types/channels';
import {useState, type ReactNode} from 'react';
import {openChannel} from '../app/channels';
import {askToSignOut} from '../app/session';
import {openThreads} from '../app/threads';
import {patch, useApp} from '../state/app';
import {channelKey, channelTitle, displayName, teammateId} from '../state/chat';
import {isAdministrator, mayInvite} from '../state/rights';
import {currentLocale, listed, number, say} from '../words/words';
import type {AddKind} from './AddDialog';
import {Face, statusWord} from './Face';
import {BellIcon, HashIcon, LockIcon, PeopleIcon, PhoneIcon, PlusIcon, SearchIcon, ShieldIcon, SignOutIcon, ThreadIcon} from './icons';
import {Later} from './Later';
import {BrandMark} from './SignIn';

const SEARCH_KEY = /Mac|iP(?:hone|ad)/.test(navigator.userAgent) ? '⌘K' : 'Ctrl+K';

export function Sidebar(): ReactNode {
    const siteName = useApp((state) => state.siteName);
    const chat = useApp((state) => state.chat);
    const noCalls = useApp((state) => state.noCalls);
    const [adding, setAdding] = useState<AddKind | null>(null);
    const [open, setOpen] = useState<'profile' | 'admin' | 'invite' | null>(null);
    const all = Object.values(chat.channels);
    const byTitle = (a: Channel, b: Channel): number => channelTitle(chat, a).localeCompare(channelTitle(chat, b), currentLocale());
    const rooms = all.filter(({type}) => type === 'O' || type === 'P').sort(byTitle);
    const directs = all.filter(({type}) => type === 'D' || type === 'G').sort(byTitle);
    const team = chat.teams.find(({id}) => id === chat.teamId);
    return (
        <nav className="sidebar" aria-label={say('chat_channels')}>
            <header>
                <h1 className="brand grow"><BrandMark/><span className="ellipsis" dir="auto" title={team?.display_name || siteName}>{team?.display_name || siteName}</span></h1>
                <button type="button" className="icon-button" aria-label={say('chat_search')} aria-keyshortcuts="Control+K" title={`${say('chat_search')} (${SEARCH_KEY})`} data-testid="search" onClick={() => patch({searching: true})}>
                    <SearchIcon/>
                </button>
            </header>
            <div className="lists">
                <ThreadsEntry/>
                <Section title={say('chat_channels')} action={say('people_add_channel')} testId="add-channel" onAdd={() => setAdding('channel')}>
                    {rooms.map((channel) => <Entry key={channel.id} channel={channel}/>)}
                </Section>
                <Section title={say('chat_directs')} action={say('people_write_to')} testId="new-direct" onAdd={() => setAdding('direct')}>
                    {directs.map((channel) => <Entry key={channel.id} channel={channel}/>)}
                </Section>
                {mayInvite(chat) && (
                    <button type="button" className="entry invite" data-testid="invite" onClick={() => setOpen('invite')}><PlusIcon/><span className="grow">{say('people_invite')}</span></button>
                )}
            </div>
            <footer>
                <button type="button" className="entry grow" title={`${displayName(chat.me ?? undefined)} · ${say('people_profile')}`} data-testid="profile" onClick={() => setOpen('profile')}>
                    <Face id={chat.me?.id ?? ''}/>
                    <span className="grow own-name" dir="auto">{displayName(chat.me ?? undefined)}</span>
                    <span className="visually-hidden">{say('people_profile')}</span>
                </button>
                {!noCalls && (
                    <button type="button" className="icon-button" aria-label={say('ring_alerts')} title={say('ring_alerts')} data-testid="sound-settings" onClick={() => patch({question: {kind: 'alerts'}})}>
                        <BellIcon/>
                    </button>
                )}
                {isAdministrator(chat.me) && (
                    <button type="button" className="icon-button" aria-label={say('admin_title')} title={say('admin_title')} data-testid="administration" onClick={() => setOpen('admin')}>
                        <ShieldIcon/>
                    </button>
                )}
                <button type="button" className="icon-button" aria-label={say('sign_out')} title={say('sign_out')} data-testid="sign-out" onClick={askToSignOut}>
                    <SignOutIcon/>
                </button>
            </footer>
            {adding && <Later onFail={() => setAdding(null)}>{({AddDialog}) => <AddDialog kind={adding} onClose={() => setAdding(null)}/>}</Later>}
            {open && (
                <Later onFail={() => setOpen(null)}>
                    {({AdminDialog, InviteDialog, ProfileDialog}) => {
                        const Opened = open === 'admin' ? AdminDialog : open === 'invite' ? InviteDialog : ProfileDialog;
                        return <Opened onClose={() => setOpen(null)}/>;
                    }}
                </Later>
            )}
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

/** Bold and with a dot while something is unread; how often this person is named, in a number. */
function ThreadsEntry(): ReactNode {
    const open = useApp((state) => state.chat.threadsOpen);
    const unread = useApp((state) => state.threads.unreadThreads);
    const mentions = useApp((state) => state.threads.mentions);
    const label = listed([say('thread_threads'), unread > 0 ? say('chat_unread', {count: unread}) : '', mentions > 0 ? say('chat_mentions', {count: mentions}) : '']);
    return (
        <button type="button" className="entry" aria-current={open ? 'page' : undefined} data-unread={unread > 0} aria-label={label} data-testid="threads" data-mentions={mentions} onClick={openThreads}>
            <ThreadIcon/>
            <span className="grow ellipsis">{say('thread_threads')}</span>
            {mentions > 0 ? <span className="badge" aria-hidden="true" data-mention="true" data-count={mentions > 99 ? `${number(99)}+` : number(mentions)}/>
                : unread > 0 && <span className="unread-dot" aria-hidden="true"/>}
        </button>
    );
}

function Entry({channel}: {channel: Channel}): ReactNode {
    const chat = useApp((state) => state.chat);
    const call = useApp((state) => state.calls[channel.id]);
    const unread = chat.unread[channel.id] ?? 0;
    const current = chat.channelId === channel.id;
    const mentions = chat.mentions[channel.id] ?? 0;
    const title = channelTitle(chat, channel);
    const status = useApp((state) => (channel.type === 'D' ? state.presence.statuses[teammateId(channel, state.chat.me?.id ?? '')] : undefined));
    const label = listed([title, status ? statusWord(status) : '', call ? say('chat_call_running') : '', unread > 0 ? say('chat_unread', {count: unread}) : '', mentions > 0 ? say('chat_mentions', {count: mentions}) : '']);
    return (
        <li>
            <button
                type="button" className="entry" aria-current={current ? 'page' : undefined} data-unread={unread > 0} aria-label={label} title={title}
                data-testid={`channel-${channelKey(chat, channel)}`} onClick={() => void openChannel(channel.id)}
            >
                <Mark channel={channel}/>
                <span className="grow ellipsis" dir="auto">{title}</span>
                {call && <span className="live" title={say('chat_call_running')}><PhoneIcon/></span>}
                {unread > 0 && <span className="badge" aria-hidden="true" data-mention={mentions > 0} data-count={unread > 99 ? `${number(99)}+` : number(unread)}/>}
            </button>
        </li>
    );
}

function Mark({channel}: {channel: Channel}): ReactNode {
    const chat = useApp((state) => state.chat);
    if (channel.type === 'D') {
        const id = teammateId(channel, chat.me?.id ?? '');
        return <Face id={id}/>;
    }
    if (channel.type === 'G') {
        return <PeopleIcon/>;
    }
    return channel.type === 'P' ? <LockIcon/> : <HashIcon/>;
}
