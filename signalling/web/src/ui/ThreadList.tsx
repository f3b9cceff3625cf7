/** Followed threads, the one with the newest answer first: what each began with, where, and who answered. */
import {useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {openThread} from '../app/channels';
import {follow, loadOlderThreads, markThreadUnread, readEveryThread} from '../app/threads';
import {useApp} from '../state/app';
import {isCallPost, readCallPost} from '../state/callpost';
import {channelTitle, displayName} from '../state/chat';
import {excerptOf} from '../state/excerpt';
import {listedThreads, type Thread} from '../state/threads';
import {listed, number, say} from '../words/words';
import {Avatar} from './Avatar';
import {MoreIcon} from './icons';
import {Menu, MenuItem} from './Menu';
import {lately} from './time';

/** Faces in a line. */
const FACES = 4;

export function ThreadList(): ReactNode {
    const threads = useApp((state) => state.threads);
    const [onlyUnread, setOnlyUnread] = useState(false);
    const list = useRef<HTMLUListElement>(null);
    const shown = listedThreads(threads, onlyUnread);
    const walk = (event: KeyboardEvent): void => {
        const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
        const all = [...list.current?.querySelectorAll<HTMLElement>('.thread-entry') ?? []];
        const at = all.findIndex((entry) => entry === document.activeElement);
        if (step !== 0 && at >= 0) {
            event.preventDefault();
            all[at + step]?.focus();
        }
    };
    return (
        <>
            <div className="row thread-ways">
                <label className="check grow">
                    <input type="checkbox" data-testid="threads-only-unread" checked={onlyUnread} onChange={(event) => setOnlyUnread(event.target.checked)}/>{say('thread_only_unread')}
                </label>
                <button type="button" data-testid="threads-read-all" disabled={threads.unreadThreads === 0} onClick={() => void readEveryThread()}>{say('thread_read_all')}</button>
            </div>
            {!threads.loaded && <p className="muted center" role="status">{say('chat_loading')}</p>}
            {threads.loaded && shown.length === 0 && (
                <p className="muted center" role="status" data-testid="no-threads">{say(onlyUnread ? 'thread_none_unread' : 'thread_none')}</p>
            )}
            <div className="thread-list" onKeyDown={walk}>
                <ul ref={list} aria-label={say('thread_followed')}>
                    {shown.map(([id, thread]) => <Entry key={id} id={id} thread={thread}/>)}
                </ul>
                {threads.loaded && !threads.complete && (
                    <button type="button" className="link" data-testid="older-threads" onClick={() => void loadOlderThreads()}>{say('thread_older')}</button>
                )}
            </div>
        </>
    );
}

function Entry({id, thread}: {id: string; thread: Thread}): ReactNode {
    // What was changed since the list was made is known better.
    const root = useApp((state) => state.chat.posts[id] ?? thread.root);
    const name = useApp(({chat}) => displayName(chat.users[root.user_id]));
    const where = useApp(({chat}) => {
        const channel = chat.channels[root.channel_id];
        return channel ? channelTitle(chat, channel) : '';
    });
    const open = useApp((state) => state.chat.threadId === id);
    const {unread, mentions} = thread;
    return (
        <li className="thread-row" data-testid="thread" data-post-id={id} data-unread={unread} data-mentions={mentions}>
            <button type="button" className="entry thread-entry" aria-current={open ? 'true' : undefined} data-unread={unread > 0} data-testid="thread-entry" onClick={() => void openThread(id)}>
                <Avatar name={name} id={root.user_id}/>
                <span className="grow">
                    <span className="result-head"><strong><bdi>{name}</bdi></strong><span className="muted"><bdi>{where}</bdi></span></span>
                    <span className="excerpt" dir="auto">{isCallPost(root) ? readCallPost(root).title || say('ring_started', {name}) : excerptOf(root.message, '').map(({text}) => text).join('')}</span>
                    <span className="thread-foot">
                        <Faces ids={thread.people}/>
                        <span className="muted">{say('chat_replies', {count: thread.replyCount})} · {say('thread_last', {time: lately(thread.lastReplyAt)})}</span>
                        {unread > 0 && <span className="thread-new">{listed([say('thread_new', {count: unread}), mentions > 0 ? say('chat_mentions', {count: mentions}) : ''])}</span>}
                    </span>
                </span>
                {mentions > 0 ? <span className="badge" aria-hidden="true" data-mention="true" data-count={number(mentions)}/> : unread > 0 && <span className="unread-dot" aria-hidden="true"/>}
            </button>
            <Menu label={say('call_menu_of', {name: where})} testId="thread-row-menu" icon={<MoreIcon/>}>
                <MenuItem testId="row-unfollow" onSelect={() => void follow(id, false)}>{say('thread_unfollow')}</MenuItem>
                {unread === 0 && <MenuItem testId="row-mark-unread" onSelect={() => void markThreadUnread(id)}>{say('thread_mark_unread')}</MenuItem>}
            </Menu>
        </li>
    );
}

/** Who answered last comes first. */
function Faces({ids}: {ids: readonly string[]}): ReactNode {
    const users = useApp((state) => state.chat.users);
    const shown = ids.slice(-FACES).reverse();
    const names = ids.toReversed().map((id) => displayName(users[id]));
    return (
        <span className="faces" role="img" aria-label={listed(names.slice(0, 40))} title={listed(names.slice(0, 40))} data-testid="thread-people" data-count={ids.length}>
            {shown.map((id) => <Avatar key={id} name={displayName(users[id])} id={id}/>)}
        </span>
    );
}
