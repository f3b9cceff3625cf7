/** A thread beside the channel, in its place on narrow screens: the call's thread is one. */
import {useEffect, useMemo, useRef, type ReactNode} from 'react';
import {closeThread} from '../app/channels';
import {useApp} from '../state/app';
import {isCallPost} from '../state/callpost';
import {threadOf} from '../state/chat';
import {say} from '../words/words';
import {Composer} from './Composer';
import {CloseIcon} from './icons';
import {PostList} from './PostList';

export function ThreadPanel({rootId}: {rootId: string}): ReactNode {
    const chat = useApp((state) => state.chat);
    const posts = useMemo(() => threadOf(chat, rootId), [chat, rootId]);
    const root = chat.posts[rootId];
    const inThread = useApp((state) => (state.chat.posts[state.chat.found]?.root_id === rootId ? state.chat.found : ''));
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
    const title = root && isCallPost(root) ? say('bar_call_thread') : say('bar_thread');
    return (
        <aside className="thread" aria-label={title} data-testid="thread-panel" onKeyDown={(event) => {
            if (event.key === 'Escape' && !event.defaultPrevented) {
                closeThread();
            }
        }}>
            <header className="channel-head">
                <h2 className="grow">{title}</h2>
                <button ref={close} type="button" className="icon-button" aria-label={say('bar_close_thread')} data-testid="close-thread" onClick={closeThread}><CloseIcon/></button>
            </header>
            <PostList key={`${rootId}/${inThread}`} foundId={inThread} posts={posts} replies={null} label={say('bar_thread_messages')} testId="thread-posts" startAt="start" onEarlier={null}/>
            {root && <Composer channelId={root.channel_id} rootId={rootId} label={say('bar_reply')} testId="thread-composer"/>}
        </aside>
    );
}
