/** A transcript in the thread of its call: to read, to search, and line by line the way into the recording. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {api, describe, fileUrl} from '../api/rest';
import {playFrom, positionOf} from '../app/player';
import {useApp} from '../state/app';
import {filesOf, recordingOf} from '../state/callpost';
import {threadOf} from '../state/chat';
import {captionNotice} from '../state/reasons';
import {findWords, passageAt, readTranscript, type Passage} from '../state/transcript';
import {say} from '../words/words';
import {DownloadIcon} from './icons';
import {elapsed} from './time';

const FOLLOW_MS = 300;

export function Transcript({post}: {post: Post}): ReactNode {
    const file = filesOf(post)[0];
    if (!file) {
        return <p className="text muted">{say('record_words_no_file')}</p>;
    }
    return (
        <div className="transcript">
            <p><strong>{say('record_words')}</strong></p>
            <TranscriptText post={post} testId="transcript-text"/>
            <a className="file" href={fileUrl(file.id, true)} download={file.name}><DownloadIcon/><span className="ellipsis">{say('record_download', {file: file.name})}</span></a>
        </div>
    );
}

export function TranscriptText({post, testId}: {post: Post; testId: string}): ReactNode {
    const fileId = filesOf(post)[0]?.id ?? '';
    const recordingId = useRecording(post);
    const [text, setText] = useState<string | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        let shown = true;
        if (fileId !== '') {
            api.fileText(fileId)
                .then((content) => shown && setText(content))
                .catch((error: unknown) => shown && setRefusal(say('record_words_refused', {reason: describe(error)})));
        }
        return () => {
            shown = false;
        };
    }, [fileId]);
    const passages = useMemo(() => (text === null ? null : readTranscript(text)), [text]);
    if (refusal !== '') {
        return <p className="refusal" role="alert">{refusal}</p>;
    }
    if (text === null) {
        return <p className="muted" role="status">{say('record_loading')}</p>;
    }
    if (passages && text.trim() !== '') {
        return <Passages passages={passages} recordingId={recordingId} testId={testId}/>;
    }
    return (
        <div className="transcript-text" role="region" aria-label={say('record_words')} tabIndex={0} data-testid={testId}>
            {text.trim() === '' ? say('record_silence') : text.trim()}
        </div>
    );
}

function Passages({passages, recordingId, testId}: {passages: readonly Passage[]; recordingId: string; testId: string}): ReactNode {
    const [wanted, setWanted] = useState('');
    const [current, setCurrent] = useState(0);
    const list = useRef<HTMLDivElement>(null);
    const heard = useHeard(passages, recordingId);
    const found = useMemo(() => findWords(passages, wanted), [passages, wanted]);
    const shown = found[current % Math.max(1, found.length)];
    useEffect(() => {
        if (shown !== undefined) {
            list.current?.querySelector(`[data-passage="${shown}"]`)?.scrollIntoView({block: 'nearest'});
        }
    }, [shown]);
    const turned = (event: KeyboardEvent): void => {
        if (event.key === 'Enter' && found.length > 0) {
            event.preventDefault();
            setCurrent((current + (event.shiftKey ? found.length - 1 : 1)) % found.length);
        }
    };
    return (
        <div className="transcript-parts">
            <div className="transcript-search" role="search">
                <input
                    type="search" value={wanted} placeholder={say('record_search')} aria-label={say('record_search')} data-testid={`${testId}-search`} onKeyDown={turned}
                    onChange={(event) => {
                        setWanted(event.target.value);
                        setCurrent(0);
                    }}
                />
                <span className="muted" role="status" data-testid={`${testId}-found`}>{wanted.trim() === '' ? '' : say('record_found', {count: found.length})}</span>
            </div>
            <div className="transcript-text" ref={list} role="region" aria-label={say('record_words')} tabIndex={0} data-testid={testId}>
                {passages.map((passage, index) => (
                    <p key={index} data-passage={index} data-found={found.includes(index)} data-current={index === shown} data-heard={index === heard}>
                        <bdi><strong>{passage.speaker}</strong></bdi>{' '}
                        {recordingId === ''
                            ? <span className="muted tabular">{elapsed(passage.at * 1000)}</span>
                            : (
                                <button type="button" className="link tabular jump" data-testid="transcript-jump" title={say('record_jump')}
                                    aria-label={say('record_jump_to', {time: elapsed(passage.at * 1000)})} onClick={() => playFrom(recordingId, passage.at)}>{elapsed(passage.at * 1000)}</button>
                            )}{' '}
                        <span
                            className={recordingId === '' ? undefined : 'spoken'} dir="auto"
                            onClick={recordingId === '' ? undefined : () => window.getSelection()?.isCollapsed !== false && playFrom(recordingId, passage.at)}
                        ><Marked text={/^\[[^\]]+\]$/.test(passage.text) ? captionNotice(passage.text) : passage.text} wanted={wanted}/></span>
                    </p>
                ))}
            </div>
        </div>
    );
}

/** The line that plays now; -1 while none does. */
function useHeard(passages: readonly Passage[], recordingId: string): number {
    const [heard, setHeard] = useState(-1);
    useEffect(() => {
        if (recordingId === '') {
            return undefined;
        }
        const timer = setInterval(() => {
            const seconds = positionOf(recordingId);
            setHeard(seconds === null ? -1 : passageAt(passages, seconds));
        }, FOLLOW_MS);
        return () => clearInterval(timer);
    }, [passages, recordingId]);
    return heard;
}

function Marked({text, wanted}: {text: string; wanted: string}): ReactNode {
    const needle = wanted.trim().toLowerCase();
    const at = needle === '' ? -1 : text.toLowerCase().indexOf(needle);
    return at < 0 ? text : <>{text.slice(0, at)}<mark>{text.slice(at, at + needle.length)}</mark>{text.slice(at + needle.length)}</>;
}

/** Post of the film the words belong to; empty when there is none. */
function useRecording(transcript: Post): string {
    const chat = useApp((state) => state.chat);
    return useMemo(() => recordingOf(chat.posts[transcript.root_id], threadOf(chat, transcript.root_id), transcript)?.id ?? '', [chat, transcript]);
}
