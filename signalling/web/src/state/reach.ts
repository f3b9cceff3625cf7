/**
 * Which unbroken part of a channel's messages is loaded: what lies beyond it may have holes.
 *
 * Others than these are known, too: the first message of a thread that somebody answered, what came
 * while the person looks at an older place. They are shown when the part has grown up to them. Pure.
 */
import type {Post, PostList} from '@mattermost/types/posts';

export interface Reach {
    /** Its oldest message; empty when there is none. */
    from: string;
    /** Its newest one; empty when it goes on to what comes live. */
    to: string;
}

type Posts = Readonly<Record<string, Post>>;

/** A list of the server's, newest first, as a part. */
export function reachOf(list: Pick<PostList, 'order'>): Reach {
    return {from: list.order.at(-1) ?? '', to: ''};
}

/** The newest page was loaded: what was loaded before it goes on where the two meet. */
export function withNewest(before: Reach | undefined, list: Pick<PostList, 'order'>, known: Posts): Reach {
    const page = reachOf(list);
    const oldest = known[page.from];
    const first = known[before?.from ?? ''];
    const meets = before?.to === '' && oldest !== undefined && first !== undefined && oldest.create_at >= first.create_at;
    return meets ? before : page;
}

export function within(post: Post, reach: Reach | undefined, posts: Posts): boolean {
    const first = posts[reach?.from ?? ''];
    const last = posts[reach?.to ?? ''];
    return (!first || post.create_at >= first.create_at) && (!last || post.create_at <= last.create_at);
}
