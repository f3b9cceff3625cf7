/** The files of a message: pictures as pictures, sounds and films with a player, all to be downloaded. */
import type {Post} from '@mattermost/types/posts';
import type {ReactNode} from 'react';
import {fileUrl} from '../api/rest';
import {filesOf} from '../state/callpost';
import {say} from '../words/words';
import {DownloadIcon} from './icons';
import {size} from './time';

const PICTURE = /^image\/(png|jpeg|gif|webp|avif|bmp)/;

export function Attachments({post}: {post: Post}): ReactNode {
    const files = filesOf(post);
    if (files.length === 0) {
        return null;
    }
    return (
        <ul className="attachments">
            {files.map((file) => (
                <li key={file.id}>
                    {PICTURE.test(file.type) && (
                        <a className="picture" href={fileUrl(file.id)} target="_blank" rel="noopener noreferrer">
                            <img src={fileUrl(file.id)} alt={file.name} loading="lazy"/>
                        </a>
                    )}
                    {file.type.startsWith('audio/') && <audio src={fileUrl(file.id)} controls preload="none" aria-label={file.name}/>}
                    {file.type.startsWith('video/') && <video src={fileUrl(file.id)} controls preload="metadata" aria-label={file.name}/>}
                    <a className="file" href={fileUrl(file.id, true)} download={file.name} aria-label={say('chat_download', {name: file.name})}>
                        <DownloadIcon/><bdi className="ellipsis" title={file.name}>{file.name}</bdi>
                        {file.size > 0 && <span className="muted">{size(file.size)}</span>}
                    </a>
                </li>
            ))}
        </ul>
    );
}
