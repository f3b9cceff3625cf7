/** Searching messages: results as one writes, and the way to each where it was written. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {describe, isInvalid} from '../api/rest';
import {goToPost, searchPosts} from '../app/search';
import {patch, useApp} from '../state/app';
import {channelTitle, displayName} from '../state/chat';
import {excerptOf, type Piece} from '../state/excerpt';
import {say} from '../words/words';
import {Avatar} from './Avatar';
import {Dialog} from './Dialog';
import {Refusal} from './SignIn';
import {moment} from './time';

const DELAY_MS = 250;
/** One letter finds nearly everything. */
const LEAST = 2;

interface Found {
    terms: string;
    posts: readonly Post[];
    refusal: string;
}

export function SearchDialog(): ReactNode {
    const [terms, setTerms] = useState('');
    const found = useFound(terms.trim());
    const results = useRef<HTMLUListElement>(null);
    const walk = (event: KeyboardEvent): void => {
        const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
        const all = [...results.current?.querySelectorAll('button') ?? []];
        if (step !== 0 && all.length > 0) {
            event.preventDefault();
            const at = all.findIndex((button) => button === document.activeElement);
            all[Math.max(0, at + step)]?.focus();
        }
    };
    return (
        <Dialog title={say('chat_search')} testId="search-dialog" wide onClose={() => patch({searching: false})}>
            {(close) => (
                <div onKeyDown={walk}>
                    <form role="search" onSubmit={(event) => {
                        event.preventDefault();
                        results.current?.querySelector('button')?.focus();
                    }}>
                        <input
                            type="search" data-first value={terms} dir={terms === '' ? undefined : 'auto'} placeholder={say('chat_search_hint')} aria-label={say('chat_search')} data-testid="search-terms"
                            autoComplete="off" maxLength={512} onChange={(event) => setTerms(event.target.value)}
                        />
                    </form>
                    <p className="hint search-ways"><code dir="ltr">"…"</code> <code dir="ltr">-…</code> <code dir="ltr">from:</code> <code dir="ltr">in:</code> <code dir="ltr">before:2026-12-31</code> <code dir="ltr">after:</code> <code dir="ltr">on:</code></p>
                    <Refusal text={found?.refusal ?? ''}/>
                    <p role="status" className="muted" data-testid="search-count">{found && found.refusal === '' ? say('chat_found', {count: found.posts.length}) : ''}</p>
                    <ul className="results" ref={results}>
                        {found?.posts.map((post) => <li key={post.id}><Result post={post} terms={found.terms} onGo={close}/></li>)}
                    </ul>
                </div>
            )}
        </Dialog>
    );
}

/** Null until there is an answer; the one before stays until the next is there. */
function useFound(terms: string): Found | null {
    const [found, setFound] = useState<Found | null>(null);
    useEffect(() => {
        if (terms.length < LEAST) {
            setFound(null);
            return undefined;
        }
        let wanted = true;
        const take = (posts: readonly Post[], refusal: string): void => {
            if (wanted) {
                setFound({terms, posts, refusal});
            }
        };
        const timer = setTimeout(() => {
            searchPosts(terms).then((posts) => take(posts, ''), (error: unknown) => take([], isInvalid(error) ? say('chat_search_unread') : describe(error)));
        }, DELAY_MS);
        return () => {
            wanted = false;
            clearTimeout(timer);
        };
    }, [terms]);
    return found;
}

function Result({post, terms, onGo}: {post: Post; terms: string; onGo: () => void}): ReactNode {
    const name = useApp(({chat}) => displayName(chat.users[post.user_id]));
    const where = useApp(({chat}) => {
        const channel = chat.channels[post.channel_id];
        return channel ? channelTitle(chat, channel) : '';
    });
    return (
        <button type="button" className="entry result" data-testid="search-result" data-post-id={post.id} onClick={() => {
            onGo();
            void goToPost(post).catch((error: unknown) => patch({fault: say('chat_not_loaded', {why: describe(error)})}));
        }}>
            <Avatar name={name} id={post.user_id}/>
            <span className="grow">
                <span className="result-head"><strong><bdi>{name}</bdi></strong><span className="muted"><bdi>{where}</bdi> · {moment(post.create_at)}</span></span>
                <span className="excerpt" dir="auto">{excerptOf(post.message, terms).map(marked)}</span>
            </span>
        </button>
    );
}

function marked({text, isMatch}: Piece, index: number): ReactNode {
    return isMatch ? <mark key={index}>{text}</mark> : text;
}
