/** One message: who, when, what; calls, recordings and transcripts as what they are. */
import type {Post} from '@mattermost/types/posts';
import type {ReactNode} from 'react';
import {fileUrl} from '../api/rest';
import {openThread} from '../app/channels';
import {useApp} from '../state/app';
import {filesOf, isCallPost, isRecordingPost, isTranscriptPost} from '../state/callpost';
import {displayName} from '../state/chat';
import {Avatar} from './Avatar';
import {CallCard} from './CallCard';
import {DownloadIcon, ThreadIcon} from './icons';
import {Recording} from './Recording';
import {clock} from './time';
import {Transcript} from './Transcript';

interface Props {
    post: Post;
    grouped: boolean;
    replies: number;
    inThread: boolean;
}

export function PostItem({post, grouped, replies, inThread}: Props): ReactNode {
    const name = useApp((state) => displayName(state.chat.users[post.user_id]));
    const count = Math.max(replies, inThread ? 0 : post.reply_count || 0);
    const canOpen = !inThread && post.root_id === '';
    return (
        <article className="post" data-grouped={grouped} data-testid="post" data-post-type={post.type}>
            {grouped ? <span className="gutter"/> : <Avatar name={name} id={post.user_id}/>}
            <div className="grow">
                {!grouped && (
                    <p className="byline">
                        <strong>{name}</strong> <time dateTime={new Date(post.create_at).toISOString()}>{clock(post.create_at)}</time>
                    </p>
                )}
                <Body post={post} inThread={inThread}/>
                {canOpen && count > 0 && (
                    <button type="button" className="link replies" data-testid="open-thread" onClick={() => void openThread(post.id)}>
                        <ThreadIcon/>{count === 1 ? '1 reply' : `${count} replies`}
                    </button>
                )}
            </div>
            {canOpen && count === 0 && (
                <button type="button" className="icon-button reply" aria-label={`Reply to ${name}`} title="Reply in a thread" data-testid="reply" onClick={() => void openThread(post.id)}>
                    <ThreadIcon/>
                </button>
            )}
        </article>
    );
}

function Body({post, inThread}: {post: Post; inThread: boolean}): ReactNode {
    if (isCallPost(post)) {
        return <CallCard post={post} inThread={inThread}/>;
    }
    if (isRecordingPost(post)) {
        return <Recording post={post}/>;
    }
    if (isTranscriptPost(post)) {
        return <Transcript post={post}/>;
    }
    const system = post.type.startsWith('system_');
    return (
        <>
            {post.message !== '' && <p className={system ? 'text muted' : 'text'}><Linked text={post.message}/></p>}
            {filesOf(post).map((file) => (
                <a key={file.id} className="file" href={fileUrl(file.id, true)} download={file.name}><DownloadIcon/>{file.name}</a>
            ))}
        </>
    );
}

/** Text with its web addresses clickable. */
export function Linked({text}: {text: string}): ReactNode {
    const parts = text.split(/(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]])/);
    return parts.map((part, index) => (
        index % 2 === 1 ? <a key={index} href={part} target="_blank" rel="noopener noreferrer">{part}</a> : part
    ));
}
