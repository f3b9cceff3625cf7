/**
 * Messages in order, with days and the line of what is new between them.
 *
 * Stays at the newest while the person is there; else what is read keeps its place, whatever comes
 * before or after it. Only a part of a long list stands on the screen (`state/window`).
 */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {useApp} from '../state/app';
import {firstUnread} from '../state/chat';
import {around, earlier, grown, hasEarlier, later, newest, rangeOf, type Window} from '../state/window';
import {say} from '../words/words';
import {DownIcon} from './icons';
import {PostItem} from './PostItem';
import {day, useNow} from './time';

/** Messages of one author within this time stand under one name. */
const GROUP_MS = 5 * 60_000;
const NEAR_END_PX = 120;
/** This near to an edge the next part comes by itself. */
const NEAR_EDGE_PX = 200;
/** Between two parts: frames in which the first is drawn and the list scrolled. */
const REST_MS = 60;
/** A thread is shown from its first message on. */
const WHOLE: Window = {after: 0, size: 1000};

interface Props {
    posts: readonly Post[];
    /** Replies by root; null inside a thread. */
    replies: ReadonlyMap<string, number> | null;
    label: string;
    testId: string;
    /** Where to look first. */
    startAt: 'start' | 'end';
    /** Loads what stands before; false when nothing came. */
    onEarlier: (() => Promise<boolean>) | null;
    /** Set while what follows is not loaded: it is loaded, and the way to the newest. */
    onLater?: (() => Promise<void>) | null;
    onNewest?: () => void;
    /** The message to begin at, which is marked. */
    foundId?: string;
    /** Until when the person had read; 0 without a line. */
    readUntil?: number;
}

export function PostList({posts, replies, label, testId, startAt, onEarlier, onLater = null, onNewest, foundId = '', readUntil = 0}: Props): ReactNode {
    const now = useNow(60_000);
    const list = useRef<HTMLDivElement>(null);
    const myId = useApp((state) => state.chat.me?.id ?? '');
    const noCalls = useApp((state) => state.noCalls);
    const [part, setPart] = useState<Window>(() => (startAt === 'end' ? around(posts.length, posts.findIndex(({id}) => id === foundId)) : WHOLE));
    const unreadId = firstUnread(posts, readUntil, myId);
    const length = useRef(posts.length);
    const lastId = useRef(posts.at(-1)?.id);
    const hadLater = useRef(onLater !== null);
    const {atEnd, away, scrolled} = usePlace(list, startAt === 'end' && foundId === '', part.after === 0 && !onLater, foundId, unreadId, [posts, part]);

    // New at the end: who reads older ones keeps them, who just wrote goes to the own message.
    const added = lastId.current === undefined ? 0 : posts.length - 1 - posts.findLastIndex(({id}) => id === lastId.current);
    if (added > 0 && lastId.current !== posts.at(-1)?.id) {
        if (hadLater.current) {
            setPart({...part, after: part.after + added}); // they are shown as the person goes on
        } else if (posts.at(-1)?.user_id === myId) {
            atEnd.current = true;
            setPart(startAt === 'end' ? newest : WHOLE);
        } else if (part.after > 0) {
            setPart(grown(part, added));
        }
    }
    lastId.current = posts.at(-1)?.id;
    hadLater.current = onLater !== null;
    length.current = posts.length;

    const [from, to] = rangeOf(part, posts.length);
    const shown = posts.slice(from, to);
    const busy = useRef(false);
    const showEarlier = async (): Promise<void> => {
        if (busy.current) {
            return;
        }
        busy.current = true;
        if (!hasEarlier(part, length.current) && !await onEarlier?.()) {
            busy.current = false; // asked for again when the person moves, not by itself
            return;
        }
        setPart((before) => earlier(before, length.current));
        rest();
    };
    const showLater = async (): Promise<void> => {
        if (part.after > 0) {
            setPart(later(part));
        } else if (onLater && !busy.current) {
            busy.current = true;
            await onLater();
            rest();
        }
    };
    /** Who came to the edge in the meantime causes no further event that would bring the next part. */
    const rest = (): void => {
        setTimeout(() => {
            busy.current = false;
            lookAgain.current();
        }, REST_MS);
    };
    const canGoBack = from > 0 || onEarlier !== null;
    const onScroll = (): void => {
        const element = list.current;
        if (!element) {
            return;
        }
        scrolled();
        const toEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
        // Where the latest are all answers in threads, there is nothing to stay at: on to what stands before them.
        if (element.scrollTop < NEAR_EDGE_PX && canGoBack && (!atEnd.current || posts.length === 0)) {
            void showEarlier();
        } else if (toEnd < NEAR_EDGE_PX) {
            void showLater();
        }
    };
    const lookAgain = useRef(onScroll);
    lookAgain.current = onScroll;
    const searches = posts.length === 0 && canGoBack;
    useEffect(() => {
        if (searches) {
            lookAgain.current();
        }
    }, [searches]);
    const toNewest = (): void => {
        if (onLater) {
            onNewest?.();
            return;
        }
        atEnd.current = true;
        setPart({...newest});
    };
    return (
        <div className="posts-frame">
            <div className="posts" ref={list} role="log" aria-label={label} data-testid={testId} tabIndex={0} onScroll={onScroll} onKeyDown={walk}>
                <div className="posts-inner">
                    <div className="spacer"/>
                    {canGoBack && (
                        <button type="button" className="link" data-testid="earlier-messages" onClick={() => void showEarlier()}>{say('chat_earlier')}</button>
                    )}
                    {posts.length === 0 && replies && !canGoBack && <p className="muted center">{say(noCalls ? 'chat_no_messages_yet' : 'chat_no_messages')}</p>}
                    {shown.map((post, index) => {
                        const before = posts[from + index - 1];
                        const newDay = !before || new Date(before.create_at).toDateString() !== new Date(post.create_at).toDateString();
                        const isFirstUnread = post.id === unreadId;
                        const grouped = !newDay && !isFirstUnread && before?.user_id === post.user_id && before.type === '' && post.type === ''
                            && post.create_at - before.create_at < GROUP_MS;
                        return (
                            <div key={post.id} className="post-frame" data-found={post.id === foundId}>
                                {newDay && <p className="day"><span>{day(post.create_at, now)}</span></p>}
                                {isFirstUnread && <p className="day unread-line" data-testid="unread-line"><span>{say('chat_new_messages')}</span></p>}
                                <PostItem post={post} grouped={grouped} replies={replies?.get(post.id) ?? 0} inThread={replies === null}/>
                            </div>
                        );
                    })}
                    {(part.after > 0 || onLater) && <button type="button" className="link" data-testid="later-messages" onClick={() => void showLater()}>{say('chat_later')}</button>}
                </div>
            </div>
            {(away || part.after > 0 || onLater) && startAt === 'end' && (
                <button type="button" className="to-newest" data-testid="to-newest" onClick={toNewest}><DownIcon/>{say('chat_to_newest')}</button>
            )}
        </div>
    );

    /** Arrows go from message to message; Enter and Tab go on into one. */
    function walk(event: KeyboardEvent): void {
        const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
        const target = event.target as HTMLElement;
        const isPost = target.matches('.post');
        if (step === 0 || !(isPost || target === list.current)) {
            return;
        }
        const all = [...list.current?.querySelectorAll<HTMLElement>('.post') ?? []];
        const next = isPost ? all[all.indexOf(target) + step] : all.at(-1);
        if (next) {
            event.preventDefault();
            next.focus({preventScroll: true});
            next.scrollIntoView({block: 'nearest'});
        }
    }
}

/**
 * Keeps the place of the person in a list whose content changes: at the end, or where the topmost
 * message stood. `changes` are the values after which the list may have another height.
 */
function usePlace(list: React.RefObject<HTMLDivElement | null>, beginAtEnd: boolean, endsAtEnd: boolean, foundId: string, unreadId: string | undefined, changes: readonly unknown[]): {
    atEnd: React.RefObject<boolean>; away: boolean; scrolled: () => void;
} {
    const atEnd = useRef(beginAtEnd);
    const anchor = useRef<{id: string; top: number} | null>(null);
    const begun = useRef(false);
    const [away, setAway] = useState(false);
    const scrolled = (): void => {
        const element = list.current;
        if (element && element.clientHeight > 0) {
            const toEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
            atEnd.current = endsAtEnd && toEnd < NEAR_END_PX;
            anchor.current = topmost(element);
            setAway(toEnd > element.clientHeight);
        }
    };
    useLayoutEffect(() => {
        const element = list.current;
        if (!element) {
            return undefined;
        }
        const keep = (): void => {
            if (element.clientHeight === 0) {
                return; // hidden behind the list of channels
            }
            if (atEnd.current) {
                element.scrollTop = element.scrollHeight;
            } else if (anchor.current) {
                const post = element.querySelector(`[data-post-id="${anchor.current.id}"]`);
                if (post) {
                    element.scrollTop += wordsTop(post) - element.getBoundingClientRect().top - anchor.current.top;
                }
            }
        };
        keep();
        const sought = foundId !== '' && !begun.current && element.clientHeight > 0 ? element.querySelector<HTMLElement>(`[data-post-id="${CSS.escape(foundId)}"]`) : null;
        if (sought) {
            begun.current = true;
            sought.scrollIntoView({block: 'center'});
            sought.focus({preventScroll: true});
            anchor.current = topmost(element);
        } else if (!begun.current && beginAtEnd && element.querySelector('.post') && element.clientHeight > 0) {
            begun.current = true;
            const line = unreadId && element.querySelector('.unread-line');
            if (line && line.getBoundingClientRect().top < element.getBoundingClientRect().top) {
                atEnd.current = false;
                line.scrollIntoView({block: 'start'});
                anchor.current = topmost(element);
            }
        }
        // Also when a stage changes the room there is, or a picture comes in.
        const observer = new ResizeObserver(keep);
        observer.observe(element);
        if (element.firstElementChild) {
            observer.observe(element.firstElementChild);
        }
        return () => observer.disconnect();
    }, changes);
    return {atEnd, away, scrolled};
}

/** The first message in sight, and how far below the edge its words begin. */
function topmost(list: HTMLElement): {id: string; top: number} | null {
    const edge = list.getBoundingClientRect().top;
    for (const post of list.querySelectorAll<HTMLElement>('[data-post-id]')) {
        if (post.getBoundingClientRect().bottom > edge) {
            return {id: post.dataset['postId'] ?? '', top: wordsTop(post) - edge};
        }
    }
    return null;
}

/** Where its words begin: the name above them goes when an earlier message of the same person comes before it. */
function wordsTop(post: Element): number {
    return (post.querySelector('.grow > :not(.byline)') ?? post).getBoundingClientRect().top;
}
