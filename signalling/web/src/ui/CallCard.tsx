/** The post of a call: running with a way in, or over in one line with what it left. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, type ReactNode} from 'react';
import {joinCall} from '../app/call';
import {openThread} from '../app/channels';
import {needPeople} from '../app/people';
import {faultOf, isFailure} from '../state/advice';
import {useApp} from '../state/app';
import {outcomeOf, readCallPost, type CallPost} from '../state/callpost';
import {isRunning, isStarting, type RecordingFault} from '../state/calls';
import {displayName} from '../state/chat';
import {isolated, lasted} from '../state/lasting';
import {isIn, isPersonal} from '../state/ringing';
import {listed, say} from '../words/words';
import {Avatar} from './Avatar';
import {PhoneIcon} from './icons';
import {clock, clocks, percent, useNow} from './time';

/** Faces on a card; the others are counted. */
const FACES = 5;
/** After this time, or three times the call, what is prepared should be there. */
const LATE_MS = 30 * 60_000;
const PREPARING = {both: 'record_preparing_both', film: 'record_preparing_film', words: 'record_preparing_words'} as const;

export function CallCard({post, inThread}: {post: Post; inThread: boolean}): ReactNode {
    const info = readCallPost(post);
    const call = useApp((state) => state.calls[post.channel_id]);
    const inIt = useApp((state) => {
        const running = state.calls[post.channel_id];
        return state.active?.channelId === post.channel_id || (running !== undefined && isIn(running, state.chat.me?.id ?? ''));
    });
    const starter = useApp((state) => displayName(state.chat.users[post.user_id]));
    const outcome = useApp((state) => outcomeOf(info, post.user_id, state.chat.me?.id ?? '', isPersonal(state.chat.channels[post.channel_id])));
    const running = info.endAt === 0 && call !== undefined && (call.postId === post.id || call.threadId === post.id);
    const over = info.endAt > 0;
    const words = {ended: say('ring_call_ended'), missed: say('ring_missed', {name: starter}), unanswered: say('ring_no_answer')}[outcome];
    const people = running ? [...new Set(Object.values(call.sessions).map(({userId}) => userId))] : info.participants;
    return (
        <div className="call-card" data-testid="call-post" data-state={running ? 'running' : 'ended'} data-outcome={over ? outcome : ''}>
            <span className="call-mark" data-running={running} data-missed={outcome === 'missed'}><PhoneIcon/></span>
            <div className="grow">
                <p className="call-line">
                    <strong>{info.title || (running ? say('ring_started', {name: starter}) : words)}</strong>
                    {info.title !== '' && outcome !== 'ended' && <span>{words}</span>}
                    <span className="muted" data-testid="call-times">
                        {running && <>{say('ring_since', {time: isolated(clock(info.startAt))})} · <Running since={info.startAt}/></>}
                        {over && <>{isolated(clocks(info.startAt, info.endAt))} · {lasted(info.endAt - info.startAt)}</>}
                        {!running && !over && say('ring_started_at', {time: isolated(clock(info.startAt))})}
                    </span>
                    <Faces ids={people}/>
                </p>
                <Left post={post} info={info} inThread={inThread}/>
            </div>
            {running && !inIt && (
                <button type="button" className="primary" data-testid="join-call-post" onClick={() => void joinCall(post.channel_id)}>{say('ring_join')}</button>
            )}
            {running && inIt && <span className="muted">{say('ring_in_it')}</span>}
        </div>
    );
}

function Running({since}: {since: number}): ReactNode {
    const now = useNow(5000);
    return <>{lasted(Math.max(1000, now - since))}</>;
}

function Faces({ids}: {ids: readonly string[]}): ReactNode {
    const users = useApp((state) => state.chat.users);
    useEffect(() => needPeople(ids));
    if (ids.length === 0) {
        return null;
    }
    const name = (id: string): string => displayName(users[id]);
    // All but one would leave room for that one as well.
    const shown = ids.length <= FACES + 1 ? ids : ids.slice(0, FACES);
    const rest = ids.slice(shown.length);
    return (
        <span className="faces" data-testid="call-faces" data-count={ids.length}>
            {shown.map((id) => (
                <span key={id} className="face-of" role="img" aria-label={name(id)} title={name(id)}><Avatar name={name(id)} id={id}/></span>
            ))}
            {rest.length > 0 && <span className="muted" title={listed(rest.slice(0, 40).map(name))}>{say('ring_others', {count: rest.length})}</span>}
        </span>
    );
}

/** What the call left: to watch and read, in preparation, or missing with the reason. */
function Left({post, info, inThread}: {post: Post; info: CallPost; inThread: boolean}): ReactNode {
    const faults = useApp((state) => state.recordFaults[post.id]);
    const progress = useApp((state) => state.recordProgress[post.id]);
    const open = useApp((state) => {
        const call = state.calls[post.channel_id];
        return call?.postId === post.id && (isRunning(call.recording) || isStarting(call.recording));
    });
    const ready = info.recordings > 0 && info.transcripts > 0 ? 'record_open_both' : info.recordings > 0 ? 'record_open' : info.transcripts > 0 ? 'record_read' : null;
    return (
        <>
            {ready && !inThread && (
                <button type="button" className="link" data-testid="open-recording" onClick={() => void openThread(post.id)}>{say(ready)}</button>
            )}
            {!open && <Preparing info={info} faults={faults ?? []} progress={progress ?? null}/>}
            {(faults ?? []).map((fault) => (
                <p key={fault.part} className={isFailure(fault) ? 'refusal' : 'muted'} data-testid="record-fault" data-part={fault.part}>{faultOf(fault)}</p>
            ))}
        </>
    );
}

/** What is awaited, how much of the film is made where the server says so, and since when. */
function Preparing({info, faults, progress}: {info: CallPost; faults: readonly RecordingFault[]; progress: number | null}): ReactNode {
    const now = useNow(10_000);
    const failed = (part: RecordingFault['part']): boolean => faults.some((fault) => fault.part === part);
    const film = info.pending.recordings > 0 && !failed('recording');
    const words = info.pending.transcripts > 0 && !failed('transcript');
    if (!film && !words) {
        return null;
    }
    const since = info.endAt > 0 ? Math.max(1000, now - info.endAt) : 0;
    const late = since > Math.max(LATE_MS, 3 * (info.endAt - info.startAt));
    const what = film && words ? 'both' : film ? 'film' : 'words';
    return (
        <p className="muted preparing" role="status" data-testid="record-preparing" data-what={what} data-late={late}>
            {!late && <span className="dot" aria-hidden="true"/>}
            {say(PREPARING[what])}{' '}
            {film && progress !== null && (
                <span className="made" data-testid="record-progress" data-progress={progress}>
                    <progress value={progress} max={100} aria-label={say('record_progress')}/> {percent(progress / 100)}
                </span>
            )}{' '}
            {late ? say('record_late', {time: lasted(since)}) : since > 60_000 && say('record_preparing_since', {time: lasted(since)})}
        </p>
    );
}
