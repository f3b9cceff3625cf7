/** Messages in order, with days between them; stays at the newest while the person is there. */
import type {Post} from '@mattermost/types/posts';
import {useLayoutEffect, useRef, type ReactNode} from 'react';
import {useApp} from '../state/app';
import {PostItem} from './PostItem';
import {day, useNow} from './time';

/** Messages of one author within this time stand under one name. */
const GROUP_MS = 5 * 60_000;
const NEAR_END_PX = 120;

interface Props {
    posts: readonly Post[];
    /** Replies by root; null inside a thread. */
    replies: ReadonlyMap<string, number> | null;
    label: string;
    testId: string;
    /** Where to look first. */
    startAt: 'start' | 'end';
    onEarlier: (() => void) | null;
}

export function PostList({posts, replies, label, testId, startAt, onEarlier}: Props): ReactNode {
    const now = useNow(60_000);
    const list = useRef<HTMLDivElement>(null);
    const atEnd = useRef(startAt === 'end');
    const shown = useRef(posts.length);
    const myId = useApp((state) => state.chat.me?.id);
    useLayoutEffect(() => {
        const element = list.current;
        if (!element) {
            return undefined;
        }
        if (posts.length > shown.current && posts.at(-1)?.user_id === myId) {
            atEnd.current = true; // the person just wrote
        }
        shown.current = posts.length;
        const toEnd = (): void => {
            if (atEnd.current) {
                element.scrollTop = element.scrollHeight;
            }
        };
        toEnd();
        // Also when a player or a stage changes the room there is.
        const observer = new ResizeObserver(toEnd);
        observer.observe(element);
        return () => observer.disconnect();
    }, [posts, myId]);
    const scrolled = (): void => {
        const element = list.current;
        if (element) {
            atEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_END_PX;
        }
    };
    return (
        <div className="posts" ref={list} role="log" aria-label={label} data-testid={testId} tabIndex={0} onScroll={scrolled}>
            <div className="spacer"/>
            {onEarlier && posts.length > 0 && <button type="button" className="link" onClick={onEarlier}>Earlier messages</button>}
            {posts.length === 0 && replies && <p className="muted center">No messages yet. Write the first one, or start a call.</p>}
            {posts.map((post, index) => {
                const before = posts[index - 1];
                const newDay = !before || new Date(before.create_at).toDateString() !== new Date(post.create_at).toDateString();
                const grouped = !newDay && before?.user_id === post.user_id && before.type === '' && post.type === ''
                    && post.create_at - before.create_at < GROUP_MS;
                return (
                    <div key={post.id}>
                        {newDay && <p className="day"><span>{day(post.create_at, now)}</span></p>}
                        <PostItem post={post} grouped={grouped} replies={replies?.get(post.id) ?? 0} inThread={replies === null}/>
                    </div>
                );
            })}
        </div>
    );
}
