/** One message: who, when, what; calls, recordings and transcripts as what they are. */
import type {Post} from '@mattermost/types/posts';
import {memo, useEffect, useRef, useState, type ReactNode, type RefObject} from 'react';
import {openThread} from '../app/channels';
import {deleteMessage} from '../app/posts';
import {follow, learnFollowing, markThreadUnread} from '../app/threads';
import {editKey, patch, updateChat, useApp} from '../state/app';
import {faultOf} from '../state/advice';
import {faultIn, isCallPost, isRecordingPost, isTranscriptPost} from '../state/callpost';
import {displayName, isWhispered, withoutPost} from '../state/chat';
import {answerWords} from '../state/reasons';
import {mayDelete, mayEdit} from '../state/rights';
import {isFollowed} from '../state/threads';
import {say} from '../words/words';
import {Attachments} from './Attachments';
import {Avatar} from './Avatar';
import {CallCard} from './CallCard';
import {copy} from './copy';
import {Dialog} from './Dialog';
import {MoreIcon, ThreadIcon} from './icons';
import {Later} from './Later';
import {Markdown} from './Markdown';
import {Menu, MenuItem} from './Menu';
import {AddReaction, PostReactions} from './PostReactions';
import {clock, moment} from './time';

interface Props {
    post: Post;
    grouped: boolean;
    replies: number;
    inThread: boolean;
}

export const PostItem = memo(function PostItem({post, grouped, replies, inThread}: Props): ReactNode {
    const whispered = isWhispered(post);
    const name = useApp((state) => (whispered ? state.siteName : displayName(state.chat.users[post.user_id])));
    const editing = useApp((state) => state.editing === editKey(post.id, inThread));
    useApp((state) => state.language);
    const count = Math.max(replies, inThread ? 0 : post.reply_count || 0);
    const canOpen = !inThread && post.root_id === '' && !whispered;
    const article = useRef<HTMLElement>(null);
    useFollowingInSight(article, post, canOpen ? count : 0);
    return (
        <article
            ref={article} className="post" data-grouped={grouped} data-testid="post" data-post-type={post.type} data-post-id={post.id} tabIndex={-1}
            aria-label={say('chat_post_of', {name, time: clock(post.create_at)})}
        >
            {grouped ? <span className="gutter"/> : <Avatar name={name} id={post.user_id}/>}
            <div className="grow">
                {!grouped && (
                    <p className="byline">
                        <strong><bdi>{name}</bdi></strong> <time dateTime={new Date(post.create_at).toISOString()} title={moment(post.create_at)}>{clock(post.create_at)}</time>
                        {whispered && <span className="whispered muted" data-testid="only-you">{say('chat_only_you')}</span>}
                    </p>
                )}
                {editing ? <Later onFail={() => patch({editing: ''})}>{({PostEditor}) => <PostEditor post={post}/>}</Later> : <Body post={post} inThread={inThread}/>}
                <PostReactions post={post}/>
                {canOpen && count > 0 && (
                    <button type="button" className="link replies" data-testid="open-thread" onClick={() => void openThread(post.id)}>
                        <ThreadIcon/>{say('chat_replies', {count})}
                    </button>
                )}
            </div>
            {!editing && <Actions post={post} name={name} inThread={inThread} canReply={canOpen && count === 0}/>}
        </article>
    );
});

/** Whoever passes by in less time has not seen it. */
const SEEN_MS = 300;

/** Asks of a thread with answers whether it is followed once it is in sight; the list may not reach so far. */
function useFollowingInSight(article: RefObject<HTMLElement | null>, post: Post, replies: number): void {
    const unknown = useApp(({threads}) => replies > 0 && threads.loaded && isFollowed(threads, post.id, replies) === null);
    useEffect(() => {
        const element = article.current;
        if (!unknown || !element) {
            return undefined;
        }
        let timer = 0;
        const observer = new IntersectionObserver((entries) => {
            clearTimeout(timer);
            if (entries.at(-1)?.isIntersecting) {
                timer = window.setTimeout(() => learnFollowing({...post, reply_count: replies}), SEEN_MS);
            }
        });
        observer.observe(element);
        return () => {
            clearTimeout(timer);
            observer.disconnect();
        };
    }, [unknown, post.id]);
}

function Actions({post, name, inThread, canReply}: {post: Post; name: string; inThread: boolean; canReply: boolean}): ReactNode {
    const canEdit = useApp((state) => mayEdit(state.chat, post));
    const canDelete = useApp((state) => mayDelete(state.chat, post) && !isWhispered(post));
    const [deleting, setDeleting] = useState(false);
    return (
        <div className="post-actions">
            {!isWhispered(post) && <AddReaction post={post}/>}
            {canReply && (
                <button type="button" className="icon-button reply" aria-label={say('chat_reply_to', {name})} title={say('chat_reply')} data-testid="reply" onClick={() => void openThread(post.id)}>
                    <ThreadIcon/>
                </button>
            )}
            {(post.message !== '' || canDelete || !isWhispered(post)) && (
                <Menu label={say('chat_more')} testId="post-menu" icon={<MoreIcon/>}>
                    {post.message !== '' && <MenuItem testId="copy-text" onSelect={() => void copy(post.message)}>{say('chat_copy')}</MenuItem>}
                    {isWhispered(post) && <MenuItem testId="dismiss-post" onSelect={() => updateChat((chat) => withoutPost(chat, post.id))}>{say('chat_dismiss')}</MenuItem>}
                    {!isWhispered(post) && <ThreadItems post={post} inThread={inThread}/>}
                    {canEdit && <MenuItem testId="edit-post" onSelect={() => patch({editing: editKey(post.id, inThread)})}>{say('chat_edit')}</MenuItem>}
                    {canDelete && <MenuItem testId="delete-post" danger onSelect={() => setDeleting(true)}>{say('chat_delete')}</MenuItem>}
                </Menu>
            )}
            {deleting && <DeleteDialog post={post} onClose={() => setDeleting(false)}/>}
        </div>
    );
}

/** Watches only while the menu is open. */
function ThreadItems({post, inThread}: {post: Post; inThread: boolean}): ReactNode {
    const rootId = post.root_id || post.id;
    const root = useApp((state) => state.chat.posts[rootId]);
    const following = useApp((state) => root !== undefined && isFollowed(state.threads, rootId, root.reply_count) === true);
    const answered = useApp((state) => (state.threads.byId[rootId]?.replyCount ?? 0) > 0);
    useEffect(() => {
        if (root) {
            learnFollowing(root);
        }
    }, [rootId]);
    return (
        <>
            <MenuItem testId="follow-message" onSelect={() => void follow(rootId, !following)}>{say(following ? 'thread_unfollow' : 'thread_follow')}</MenuItem>
            {(post.root_id !== '' || answered) && (
                <MenuItem testId="mark-unread" onSelect={() => void markThreadUnread(rootId, inThread ? post.id : '')}>{say(inThread ? 'thread_mark_unread' : 'thread_mark_thread_unread')}</MenuItem>
            )}
        </>
    );
}

function DeleteDialog({post, onClose}: {post: Post; onClose: () => void}): ReactNode {
    return (
        <Dialog title={say('chat_delete_title')} testId="delete-dialog" onClose={onClose}>
            {(close) => <>
                <p>{say('chat_delete_hint')}</p>
                <p className="muted excerpt" dir="auto">{post.message}</p>
                <div className="dialog-actions">
                    <button type="button" onClick={close}>{say('chat_cancel')}</button>
                    <button type="button" className="danger" data-testid="confirm-delete" onClick={() => {
                        close();
                        void deleteMessage(post);
                    }}>{say('chat_delete')}</button>
                </div>
            </>}
        </Dialog>
    );
}

function Body({post, inThread}: {post: Post; inThread: boolean}): ReactNode {
    if (isCallPost(post)) {
        return <CallCard post={post} inThread={inThread}/>;
    }
    if (isRecordingPost(post)) {
        return <Later onFail={() => undefined}>{({Recording}) => <Recording post={post}/>}</Later>;
    }
    if (isTranscriptPost(post)) {
        return <Later onFail={() => undefined}>{({Transcript}) => <Transcript post={post}/>}</Later>;
    }
    const fault = faultIn(post);
    if (fault) {
        return <p className="text" data-testid={`no-${fault.part}`}>{faultOf(fault)}</p>;
    }
    if (isWhispered(post)) {
        return <div className="text"><Markdown text={answerWords(post.message)}/></div>;
    }
    const system = post.type.startsWith('system_');
    return (
        <>
            {post.message !== '' && <div className={system ? 'text muted' : 'text'}><Markdown text={post.message}/></div>}
            {post.edit_at > 0 && <span className="edited muted" data-testid="edited" title={moment(post.edit_at)}>{say('chat_edited')}</span>}
            <Attachments post={post}/>
        </>
    );
}
