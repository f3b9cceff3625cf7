/** A recording in the thread of its call: a player with captions, beside its transcript on demand, and the file. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useMemo, useRef, useState, type ReactNode} from 'react';
import {api, fileUrl} from '../api/rest';
import {offerPlayer} from '../app/player';
import {useApp} from '../state/app';
import {filesOf, readCaptions, recordingWithWords, type CaptionsFile} from '../state/callpost';
import {threadOf} from '../state/chat';
import {say} from '../words/words';
import {CloseIcon, DownloadIcon} from './icons';
import {TranscriptText} from './Transcript';

export function Recording({post}: {post: Post}): ReactNode {
    const file = filesOf(post)[0];
    const transcript = useTranscript(post);
    const [beside, setBeside] = useState(false);
    if (!file) {
        return <p className="text muted">{say('record_no_file')}</p>;
    }
    return (
        <div className="recording">
            <p><strong>{say('record_film')}</strong></p>
            {/* One of the two plays: the other one's place is kept. */}
            {beside ? <div className="player-away"/> : <Player post={post} fileId={file.id}/>}
            {transcript && (
                <button type="button" data-testid="open-beside" onClick={() => setBeside(true)}>{say('record_beside')}</button>
            )}
            <a className="file" href={fileUrl(file.id, true)} download={file.name}><DownloadIcon/><span className="ellipsis">{say('record_download', {file: file.name})}</span></a>
            {beside && transcript && <Beside post={post} fileId={file.id} transcript={transcript} onClose={() => setBeside(false)}/>}
        </div>
    );
}

/** Film and words side by side, in the whole window. */
function Beside({post, fileId, transcript, onClose}: {post: Post; fileId: string; transcript: Post; onClose: () => void}): ReactNode {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => dialog.current?.showModal(), []);
    return (
        <dialog ref={dialog} className="beside" aria-label={say('record_film')} data-testid="recording-beside" onClose={onClose} onKeyDown={(event) => event.stopPropagation()}>
            <div className="dialog-head">
                <h2>{say('record_film')}</h2>
                <button type="button" className="icon-button" aria-label={say('record_close')} data-testid="close-beside" onClick={() => dialog.current?.close()}><CloseIcon/></button>
            </div>
            <div className="beside-parts">
                <Player post={post} fileId={fileId}/>
                <TranscriptText post={transcript} testId="beside-text"/>
            </div>
        </dialog>
    );
}

function Player({post, fileId}: {post: Post; fileId: string}): ReactNode {
    const captions = readCaptions(post);
    const [broken, setBroken] = useState(false);
    const video = useRef<HTMLVideoElement>(null);
    useEffect(() => (video.current ? offerPlayer(post.id, video.current) : undefined), [post.id]);
    return (
        <div className="player">
            {/* A plain address, so that the browser asks for the parts it plays. */}
            <video ref={video} controls preload="metadata" playsInline src={fileUrl(fileId)} aria-label={say('record_film')} data-testid="recording-player" onError={() => setBroken(true)}>
                {captions.map((entry, index) => <CaptionsTrack key={entry.fileId} entry={entry} first={index === 0}/>)}
            </video>
            {broken && <p className="refusal" role="alert">{say('record_broken')}</p>}
        </div>
    );
}

function useTranscript(recording: Post): Post | undefined {
    const chat = useApp((state) => state.chat);
    return useMemo(
        () => recordingWithWords(chat.posts[recording.root_id], threadOf(chat, recording.root_id), recording).transcript,
        [chat, recording],
    );
}

/** Captions by way of a blob: the server may give the file any type, the browser wants `text/vtt`. */
function CaptionsTrack({entry, first}: {entry: CaptionsFile; first: boolean}): ReactNode {
    const [source, setSource] = useState('');
    useEffect(() => {
        let url = '';
        let shown = true;
        api.fileText(entry.fileId).then((text) => {
            if (shown) {
                url = URL.createObjectURL(new Blob([text], {type: 'text/vtt'}));
                setSource(url);
            }
        }).catch((error: unknown) => console.warn('parley: captions could not be loaded', error));
        return () => {
            shown = false;
            URL.revokeObjectURL(url);
        };
    }, [entry.fileId]);
    return source === '' ? null : <track kind="captions" src={source} srcLang={entry.language || 'en'} label={entry.title || say('record_captions')} default={first}/>;
}
