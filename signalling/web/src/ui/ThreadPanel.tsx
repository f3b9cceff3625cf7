/** A thread beside the channel (over it on narrow screens): the call's thread is one. */
import {useEffect, useMemo, useRef, type ReactNode} from 'react';
import {closeThread} from '../app/channels';
import {useApp} from '../state/app';
import {isCallPost} from '../state/callpost';
import {threadOf} from '../state/chat';
import {Composer} from './Composer';
import {CloseIcon} from './icons';
import {PostList} from './PostList';

export function ThreadPanel({rootId}: {rootId: string}): ReactNode {
    const chat = useApp((state) => state.chat);
    const posts = useMemo(() => threadOf(chat, rootId), [chat, rootId]);
    const root = chat.posts[rootId];
    const close = useRef<HTMLButtonElement>(null);
    useEffect(() => close.current?.focus(), [rootId]);
    const title = root && isCallPost(root) ? 'Call thread' : 'Thread';
    return (
        <aside className="thread" aria-label={title} data-testid="thread-panel" onKeyDown={(event) => {
            if (event.key === 'Escape') {
                closeThread();
            }
        }}>
            <header className="channel-head">
                <h2 className="grow">{title}</h2>
                <button ref={close} type="button" className="icon-button" aria-label="Close thread" data-testid="close-thread" onClick={closeThread}><CloseIcon/></button>
            </header>
            <PostList key={rootId} posts={posts} replies={null} label="Messages in the thread" testId="thread-posts" startAt="start" onEarlier={null}/>
            {root && <Composer channelId={root.channel_id} rootId={rootId} label="Reply" testId="thread-composer"/>}
        </aside>
    );
}
