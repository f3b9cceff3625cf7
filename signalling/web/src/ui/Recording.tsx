/** A recording in the thread of its call: a player with captions, and the file. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useState, type ReactNode} from 'react';
import {api, fileUrl} from '../api/rest';
import {filesOf, readCaptions, type CaptionsFile} from '../state/callpost';
import {DownloadIcon} from './icons';

export function Recording({post}: {post: Post}): ReactNode {
    const file = filesOf(post)[0];
    const captions = readCaptions(post);
    const [broken, setBroken] = useState(false);
    if (!file) {
        return <p className="text muted">The recording has no file.</p>;
    }
    return (
        <div className="recording">
            <p><strong>Recording of the call</strong></p>
            {/* A plain address, so that the browser asks for the parts it plays. */}
            <video controls preload="metadata" playsInline src={fileUrl(file.id)} aria-label="Recording of the call" data-testid="recording-player" onError={() => setBroken(true)}>
                {captions.map((entry, index) => <CaptionsTrack key={entry.fileId} entry={entry} first={index === 0}/>)}
            </video>
            {broken && <p className="refusal" role="alert">This browser could not play the recording. Download it and open it in a media player.</p>}
            <a className="file" href={fileUrl(file.id, true)} download={file.name}><DownloadIcon/><span className="ellipsis">Download {file.name}</span></a>
        </div>
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
    return source === '' ? null : <track kind="captions" src={source} srcLang={entry.language || 'en'} label={entry.title || 'Captions'} default={first}/>;
}
