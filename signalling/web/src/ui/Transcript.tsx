/** A transcript in the thread of its call: to read here, and the file. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useState, type ReactNode} from 'react';
import {api, describe, fileUrl} from '../api/rest';
import {filesOf} from '../state/callpost';
import {readTranscript} from '../state/transcript';
import {DownloadIcon} from './icons';

export function Transcript({post}: {post: Post}): ReactNode {
    const file = filesOf(post)[0];
    const fileId = file?.id ?? '';
    const [text, setText] = useState<string | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        let shown = true;
        if (fileId !== '') {
            api.fileText(fileId)
                .then((content) => shown && setText(content))
                .catch((error: unknown) => shown && setRefusal(`The transcript could not be loaded. ${describe(error)}`));
        }
        return () => {
            shown = false;
        };
    }, [fileId]);
    if (!file) {
        return <p className="text muted">The transcript has no file.</p>;
    }
    return (
        <div className="transcript">
            <p><strong>Transcript of the call</strong></p>
            {refusal !== '' && <p className="refusal" role="alert">{refusal}</p>}
            {text === null && refusal === '' && <p className="muted" role="status">Loading…</p>}
            {text !== null && (
                <div className="transcript-text" role="region" aria-label="Transcript of the call" tabIndex={0} data-testid="transcript-text">
                    <Words text={text}/>
                </div>
            )}
            <a className="file" href={fileUrl(file.id, true)} download={file.name}><DownloadIcon/><span className="ellipsis">Download {file.name}</span></a>
        </div>
    );
}

function Words({text}: {text: string}): ReactNode {
    if (text.trim() === '') {
        return 'Nobody said anything.';
    }
    const passages = readTranscript(text);
    if (!passages) {
        return text.trim();
    }
    return passages.map((passage, index) => (
        <p key={index}>
            <strong>{passage.speaker}</strong> <span className="muted tabular">{passage.from}</span> {passage.text}
        </p>
    ));
}
