/** Starting a direct message; joining or creating a channel. */
import type {Channel} from '@mattermost/types/channels';
import type {UserProfile} from '@mattermost/types/users';
import {useEffect, useRef, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {createChannel, findChannels, findPeople, joinChannel, openDirect} from '../app/channels';
import {displayName} from '../state/chat';
import {Avatar} from './Avatar';
import {CloseIcon, HashIcon} from './icons';
import {Field, Refusal, useSubmit} from './SignIn';

export type AddKind = 'channel' | 'direct';

export function AddDialog({kind, onClose}: {kind: AddKind; onClose: () => void}): ReactNode {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        dialog.current?.showModal();
    }, []);
    const done = (): void => {
        dialog.current?.close();
        // Where the person goes on: writing.
        document.querySelector<HTMLElement>('[data-testid="composer"]')?.focus();
    };
    const title = kind === 'direct' ? 'Write to somebody' : 'Add a channel';
    return (
        <dialog ref={dialog} className="card" aria-label={title} onClose={onClose} onClick={(event) => {
            if (event.target === dialog.current) {
                dialog.current?.close();
            }
        }}>
            <div className="dialog-head">
                <h2>{title}</h2>
                <button type="button" className="icon-button" aria-label="Close" onClick={() => dialog.current?.close()}><CloseIcon/></button>
            </div>
            {kind === 'direct' ? <People onDone={done}/> : <Rooms onDone={done}/>}
        </dialog>
    );
}

function People({onDone}: {onDone: () => void}): ReactNode {
    const {items, refusal, setRefusal} = useLoaded<UserProfile>(findPeople);
    const [filter, setFilter] = useState('');
    const wanted = filter.trim().toLowerCase();
    const shown = (items ?? []).filter((user) => `${user.username} ${displayName(user)}`.toLowerCase().includes(wanted));
    return (
        <>
            <Field label="Name" testId="find-person" value={filter} onChange={setFilter} autoFocus/>
            <Refusal text={refusal}/>
            <ul className="choices">
                {shown.map((user) => (
                    <li key={user.id}>
                        <button type="button" className="entry" data-testid={`person-${user.username}`} onClick={() => {
                            openDirect(user).then(onDone).catch((error: unknown) => setRefusal(describe(error)));
                        }}>
                            <Avatar name={displayName(user)} id={user.id}/>
                            <span className="grow ellipsis">{displayName(user)}</span>
                            <span className="muted">@{user.username}</span>
                        </button>
                    </li>
                ))}
            </ul>
            {items && shown.length === 0 && <p className="muted">Nobody of that name.</p>}
        </>
    );
}

function Rooms({onDone}: {onDone: () => void}): ReactNode {
    const {items, refusal, setRefusal} = useLoaded<Channel>(findChannels);
    const [name, setName] = useState('');
    const [isPrivate, setPrivate] = useState(false);
    const creating = useSubmit(() => createChannel(name, isPrivate).then(onDone));
    return (
        <>
            <form onSubmit={creating.submit} aria-label="Create a channel">
                <Field label="Name of a new channel" testId="new-channel-name" value={name} onChange={setName} autoFocus/>
                <label className="check">
                    <input type="checkbox" checked={isPrivate} onChange={(event) => setPrivate(event.target.checked)}/> Private: only people who are added see it
                </label>
                <Refusal text={creating.refusal || refusal}/>
                <button type="submit" className="primary" disabled={creating.busy || name.trim() === ''} data-testid="create-channel">Create channel</button>
            </form>
            {(items ?? []).length > 0 && <h3>Or join one</h3>}
            <ul className="choices">
                {(items ?? []).map((channel) => (
                    <li key={channel.id}>
                        <button type="button" className="entry" data-testid={`join-channel-${channel.name}`} onClick={() => {
                            joinChannel(channel).then(onDone).catch((error: unknown) => setRefusal(describe(error)));
                        }}>
                            <HashIcon/><span className="grow ellipsis">{channel.display_name}</span>
                        </button>
                    </li>
                ))}
            </ul>
        </>
    );
}

function useLoaded<T>(load: () => Promise<T[]>): {items: T[] | null; refusal: string; setRefusal: (text: string) => void} {
    const [items, setItems] = useState<T[] | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        let shown = true;
        load().then((found) => shown && setItems(found)).catch((error: unknown) => shown && setRefusal(describe(error)));
        return () => {
            shown = false;
        };
    }, [load]);
    return {items, refusal, setRefusal};
}
