/** Files on their way into a message: what is chosen, how far it is, what was refused or left out. */
import {useEffect, useRef, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {uploadFile} from '../app/posts';
import {announce, store} from '../state/app';
import {listed, say} from '../words/words';
import {CloseIcon} from './icons';
import {size} from './time';

/** Most files of one message. */
const MOST = 10;
/** So many names of those that are left out are told, the rest is counted. */
const NAMED = 3;

export interface Upload {
    key: number;
    name: string;
    size: number;
    /** 0 to 1. */
    share: number;
    /** Empty until the server has it. */
    fileId: string;
    refusal: string;
}

export interface Uploads {
    all: readonly Upload[];
    /** Names of the files that found no place when the last ones were chosen. */
    left: readonly string[];
    /** All have arrived and none was refused. */
    ready: boolean;
    fileIds: readonly string[];
    add: (files: Iterable<File>) => void;
    remove: (key: number) => void;
    clear: () => void;
}

let nextKey = 1;

export function useUploads(channelId: string): Uploads {
    const [all, setAll] = useState<readonly Upload[]>([]);
    const [left, setLeft] = useState<readonly string[]>([]);
    const running = useRef(new Map<number, AbortController>());
    useEffect(() => {
        const stops = running.current;
        return () => stops.forEach((stop) => stop.abort());
    }, []);
    const change = (key: number, part: Partial<Upload>): void => setAll((before) => before.map((upload) => (upload.key === key ? {...upload, ...part} : upload)));
    const add = (files: Iterable<File>): void => {
        const {maxFileSize} = store.get();
        const chosen = [...files];
        const room = Math.max(0, MOST - all.length);
        setLeft(chosen.slice(room).map(({name}) => name));
        const fresh = chosen.slice(0, room).map((file) => ({file, key: nextKey++}));
        setAll((before) => [...before, ...fresh.map(({file, key}) => ({
            key, name: file.name, size: file.size, share: 0, fileId: '',
            refusal: maxFileSize > 0 && file.size > maxFileSize ? say('chat_file_limit', {limit: size(maxFileSize)}) : '',
        }))]);
        for (const {file, key} of fresh) {
            if (maxFileSize > 0 && file.size > maxFileSize) {
                continue;
            }
            const stop = new AbortController();
            running.current.set(key, stop);
            uploadFile(channelId, file, (share) => change(key, {share}), stop.signal)
                .then((info) => {
                    change(key, {share: 1, fileId: info.id});
                    announce(say('chat_file_ready', {name: file.name}));
                })
                .catch((error: unknown) => stop.signal.aborted || change(key, {refusal: describe(error)}))
                .finally(() => running.current.delete(key));
        }
    };
    const remove = (key: number): void => {
        running.current.get(key)?.abort();
        setLeft([]);
        setAll((before) => before.filter((upload) => upload.key !== key));
    };
    return {
        all, left, add, remove,
        ready: all.every(({fileId}) => fileId !== ''),
        fileIds: all.map(({fileId}) => fileId).filter((id) => id !== ''),
        clear: () => {
            setAll([]);
            setLeft([]);
        },
    };
}

export function UploadList({uploads, onRemoved}: {uploads: Uploads; onRemoved: () => void}): ReactNode {
    if (uploads.all.length === 0) {
        return null;
    }
    return (
        <>
            <ul className="uploads" aria-label={say('chat_files')}>
                {uploads.all.map((upload) => (
                    <li key={upload.key} data-testid="upload" data-state={upload.refusal ? 'refused' : upload.fileId ? 'done' : 'running'}>
                        <span className="grow">
                            <bdi className="ellipsis" title={upload.name}>{upload.name}</bdi> <span className="muted">{size(upload.size)}</span>
                            {upload.refusal && <span className="refusal" role="alert">{upload.refusal}</span>}
                            {!upload.refusal && upload.fileId === '' && <progress value={upload.share} max={1} aria-label={say('chat_uploading', {name: upload.name})}/>}
                        </span>
                        <button type="button" className="icon-button" aria-label={say('chat_remove_file', {name: upload.name})} data-testid="remove-upload" onClick={() => {
                            uploads.remove(upload.key);
                            onRemoved();
                        }}><CloseIcon/></button>
                    </li>
                ))}
            </ul>
            {uploads.left.length > 0 && <p className="refusal" role="alert" data-testid="uploads-left">{leftWords(uploads.left)}</p>}
        </>
    );
}

function leftWords(left: readonly string[]): string {
    const others = left.length - NAMED;
    const names = listed([...left.slice(0, NAMED), others > 0 ? say('chat_others', {count: others}) : '']);
    return say('chat_files_left', {count: left.length, names, most: MOST});
}
