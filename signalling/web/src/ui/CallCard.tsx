/** The post of a call: running with a way in, or over with what it left. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, type ReactNode} from 'react';
import {joinCall} from '../app/call';
import {openThread} from '../app/channels';
import {needPeople} from '../app/people';
import {useApp} from '../state/app';
import {readCallPost} from '../state/callpost';
import {displayName} from '../state/chat';
import {PhoneIcon} from './icons';
import {clock, duration, useNow} from './time';

export function CallCard({post, inThread}: {post: Post; inThread: boolean}): ReactNode {
    const info = readCallPost(post);
    const call = useApp((state) => state.calls[post.channel_id]);
    const here = useApp((state) => state.active?.channelId === post.channel_id);
    const starter = useApp((state) => displayName(state.chat.users[post.user_id]));
    const running = info.endAt === 0 && call !== undefined && (call.postId === post.id || call.threadId === post.id);
    const over = info.endAt > 0;
    return (
        <div className="call-card" data-testid="call-post" data-state={running ? 'running' : 'ended'}>
            <span className="call-mark" data-running={running}><PhoneIcon/></span>
            <div className="grow">
                <p><strong>{info.title || (running ? `${starter} started a call` : 'Call ended')}</strong></p>
                <p className="muted">
                    {running && <>In progress since {clock(info.startAt)} · <Running since={info.startAt}/></>}
                    {over && <>{clock(info.startAt)} – {clock(info.endAt)} · lasted {duration(info.endAt - info.startAt)}</>}
                    {!running && !over && <>Started at {clock(info.startAt)}</>}
                </p>
                <People ids={running ? [...new Set(Object.values(call.sessions).map(({userId}) => userId))] : info.participants} running={running}/>
                {over && !inThread && (info.recordings > 0 || info.transcripts > 0) && (
                    <button type="button" className="link" data-testid="open-recording" onClick={() => void openThread(post.id)}>
                        {[info.recordings > 0 ? 'Watch the recording' : '', info.transcripts > 0 ? 'read the transcript' : '']
                            .filter((part) => part !== '').join(' and ').replace(/^r/, 'R')}
                    </button>
                )}
            </div>
            {running && !here && (
                <button type="button" className="primary" data-testid="join-call-post" onClick={() => void joinCall(post.channel_id)}>Join</button>
            )}
            {running && here && <span className="muted">You are in it</span>}
        </div>
    );
}

function Running({since}: {since: number}): ReactNode {
    const now = useNow(15_000);
    return <>{duration(Math.max(1000, now - since))}</>;
}

function People({ids, running}: {ids: readonly string[]; running: boolean}): ReactNode {
    const users = useApp((state) => state.chat.users);
    useEffect(() => needPeople(ids));
    if (ids.length === 0) {
        return null;
    }
    return <p className="muted">{running ? 'With ' : 'Took part: '}{ids.map((id) => displayName(users[id])).join(', ')}</p>;
}
