/** A thread beside the channel, in its place on narrow screens: the call's thread is one. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useMemo, useRef, useState, type ReactNode} from 'react';
import {closeThread} from '../app/channels';
import {goToPost} from '../app/search';
import {beginThread, follow, markThreadUnread, readOpenThread} from '../app/threads';
import {useApp} from '../state/app';
import {isCallPost} from '../state/callpost';
import {channelTitle, threadOf} from '../state/chat';
import {isFollowed, lineAfter} from '../state/threads';
import {say} from '../words/words';
import {Composer} from './Composer';
import {CloseIcon, MoreIcon} from './icons';
import {Menu, MenuItem} from './Menu';
import {PostList} from './PostList';

export function ThreadPanel({rootId}: {rootId: string}): ReactNode {
    const chat = useApp((state) => state.chat);
    const posts = useMemo(() => threadOf(chat, rootId), [chat, rootId]);
    const root = chat.posts[rootId];
    const inThread = useApp((state) => (state.chat.posts[state.chat.found]?.root_id === rootId ? state.chat.found : ''));
    const readUntil = useReadUntil(rootId);
    const close = useRef<HTMLButtonElement>(null);
    const from = useRef<Element | null>(null);
    useEffect(() => {
        from.current ??= document.activeElement;
        close.current?.focus();
    }, [rootId]);
    useEffect(() => () => {
        // Back to what opened it; the channel when that is gone.
        const opener = from.current;
        setTimeout(() => {
            if (document.activeElement === document.body || document.activeElement === null) {
                (opener instanceof HTMLElement && opener.isConnected ? opener : document.getElementById('channel'))?.focus();
            }
        });
    }, []);
    useEffect(beginThread, [rootId]);
    const unread = useApp((state) => state.threads.byId[rootId]?.unread ?? 0);
    const newest = useApp((state) => state.threads.byId[rootId]?.lastReplyAt ?? 0);
    useEffect(readOpenThread, [rootId, unread, newest]);
    const title = root && isCallPost(root) ? say('bar_call_thread') : say('bar_thread');
    return (
        <aside className="thread" aria-label={title} data-testid="thread-panel" onKeyDown={(event) => {
            if (event.key === 'Escape' && !event.defaultPrevented) {
                closeThread();
            }
        }}>
            <header className="channel-head">
                <div className="grow channel-title">
                    <h2 className="ellipsis" title={title}>{title}</h2>
                    {root && <Whence root={root}/>}
                </div>
                {root && <FollowButton root={root}/>}
                {root && <ThreadMenu rootId={rootId}/>}
                <button ref={close} type="button" className="icon-button" aria-label={say('bar_close_thread')} data-testid="close-thread" onClick={closeThread}><CloseIcon/></button>
            </header>
            <PostList key={`${rootId}/${inThread}`} foundId={inThread} posts={posts} replies={null} label={say('bar_thread_messages')} testId="thread-posts" startAt="start" onEarlier={null} readUntil={readUntil}/>
            {root && <Composer channelId={root.channel_id} rootId={rootId} label={say('bar_reply')} testId="thread-composer"/>}
        </aside>
    );
}

/** Where the line of what is new stands: as the thread was when it was opened, made unread, or left out of sight. */
function useReadUntil(rootId: string): number {
    const unread = useApp((state) => (state.threads.byId[rootId]?.unread ?? 0) > 0);
    const viewed = useApp((state) => state.threads.byId[rootId]?.viewedAt ?? -1);
    const [line, setLine] = useState({rootId: '', viewed: -1, at: 0});
    const next = lineAfter(line, rootId, viewed, unread, document.hidden);
    if (next !== line) {
        setLine(next);
    }
    return next.at;
}

/** The channel of the thread, where another one is shown or none: the way there. */
function Whence({root}: {root: Post}): ReactNode {
    const name = useApp(({chat}) => {
        const channel = root.channel_id === chat.channelId ? undefined : chat.channels[root.channel_id];
        return channel ? channelTitle(chat, channel) : '';
    });
    return name !== '' && (
        <button type="button" className="link ellipsis whence" title={name} data-testid="thread-channel" onClick={() => void goToPost(root)}>{say('thread_in', {channel: name})}</button>
    );
}

function FollowButton({root}: {root: Post}): ReactNode {
    const following = useApp((state) => isFollowed(state.threads, root.id, root.reply_count) === true);
    return (
        <button type="button" data-testid="follow-thread" data-following={following} title={say(following ? 'thread_unfollow' : 'thread_follow')} onClick={() => void follow(root.id, !following)}>
            {say(following ? 'thread_following' : 'thread_follow_short')}
        </button>
    );
}

function ThreadMenu({rootId}: {rootId: string}): ReactNode {
    const answered = useApp((state) => (state.threads.byId[rootId]?.replyCount ?? 0) > 0);
    return answered && (
        <Menu label={say('chat_more')} testId="thread-menu" icon={<MoreIcon/>}>
            <MenuItem testId="thread-mark-unread" onSelect={() => void markThreadUnread(rootId)}>{say('thread_mark_unread')}</MenuItem>
        </Menu>
    );
}
