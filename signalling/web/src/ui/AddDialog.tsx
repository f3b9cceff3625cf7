/** Writing to somebody or to a few; joining or creating a channel. */
import type {Channel} from '@mattermost/types/channels';
import type {UserProfile} from '@mattermost/types/users';
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {createChannel, findChannels, joinChannel, openDirect} from '../app/channels';
import {openGroup, searchPeople} from '../app/rooms';
import {displayName} from '../state/chat';
import {say} from '../words/words';
import {Dialog} from './Dialog';
import {CloseIcon, HashIcon, PlusIcon} from './icons';
import {PeoplePicker} from './PeoplePicker';
import {Field, Refusal, useSubmit} from './SignIn';

export type AddKind = 'channel' | 'direct';

/** People of a group beside oneself. */
const GROUP_MOST = 7;

export function AddDialog({kind, onClose}: {kind: AddKind; onClose: () => void}): ReactNode {
    return (
        <Dialog title={say(kind === 'direct' ? 'people_write_to' : 'people_add_channel')} testId={`${kind}-dialog`} onClose={onClose}>
            {(close) => {
                const done = (): void => {
                    close();
                    // Where the person goes on: writing.
                    requestAnimationFrame(() => document.querySelector<HTMLElement>('[data-testid="composer"]')?.focus());
                };
                return kind === 'direct' ? <People onDone={done}/> : <Rooms onDone={done}/>;
            }}
        </Dialog>
    );
}

function People({onDone}: {onDone: () => void}): ReactNode {
    const [group, setGroup] = useState<readonly UserProfile[]>([]);
    const [refusal, setRefusal] = useState('');
    const open = (opening: Promise<void>): void => {
        opening.then(onDone).catch((error: unknown) => setRefusal(describe(error)));
    };
    const gather = (user: UserProfile): void => setGroup((before) => (before.length < GROUP_MOST ? [...before, user] : before));
    return (
        <>
            {group.length > 0 && (
                <ul className="chips" aria-label={say('people_group')}>
                    {group.map((user) => (
                        <li key={user.id}>
                            <button type="button" className="chip" aria-label={say('people_take_out', {name: displayName(user)})} onClick={() => setGroup(group.filter(({id}) => id !== user.id))}>
                                <bdi>{displayName(user)}</bdi><CloseIcon/>
                            </button>
                        </li>
                    ))}
                </ul>
            )}
            <PeoplePicker
                label={say('people_name')} testId="find-person" search={searchPeople} hidden={group.map(({id}) => id)} autoFocus
                onPick={(user) => (group.length > 0 ? gather(user) : open(openDirect(user)))}
                action={(user) => (
                    <button type="button" className="icon-button" aria-label={say('people_to_group', {name: displayName(user)})} title={say('people_group')} data-testid={`gather-${user.username}`} onClick={() => gather(user)}>
                        <PlusIcon/>
                    </button>
                )}
            />
            <Refusal text={refusal}/>
            {group.length > 0 && (
                <div className="dialog-actions">
                    {group.length < 2 && <span className="hint">{say('people_group_hint')}</span>}
                    <button type="button" className="primary" disabled={group.length < 2} data-testid="open-group" onClick={() => open(openGroup(group))}>{say('people_open_group')}</button>
                </div>
            )}
        </>
    );
}

function Rooms({onDone}: {onDone: () => void}): ReactNode {
    const [items, setItems] = useState<readonly Channel[]>([]);
    const [refusal, setRefusal] = useState('');
    const [name, setName] = useState('');
    const [isPrivate, setPrivate] = useState(false);
    const creating = useSubmit(() => createChannel(name, isPrivate).then(onDone));
    useEffect(() => {
        findChannels().then(setItems).catch((error: unknown) => setRefusal(describe(error)));
    }, []);
    return (
        <>
            <form onSubmit={creating.submit} aria-label={say('people_create_channel')}>
                <Field label={say('people_new_channel')} testId="new-channel-name" value={name} onChange={setName} autoFocus/>
                <label className="check">
                    <input type="checkbox" checked={isPrivate} data-testid="new-channel-private" onChange={(event) => setPrivate(event.target.checked)}/> {say('people_private')}
                </label>
                <Refusal text={creating.refusal || refusal}/>
                <button type="submit" className="primary" disabled={creating.busy || name.trim() === ''} data-testid="create-channel">{say('people_create_channel')}</button>
            </form>
            {items.length > 0 && <h3>{say('people_or_join')}</h3>}
            <ul className="choices">
                {items.map((channel) => (
                    <li key={channel.id}>
                        <button type="button" className="entry" data-testid={`join-channel-${channel.name}`} onClick={() => {
                            joinChannel(channel).then(onDone).catch((error: unknown) => setRefusal(describe(error)));
                        }}>
                            <HashIcon/><span className="grow ellipsis" dir="auto" title={channel.display_name}>{channel.display_name}</span>
                        </button>
                    </li>
                ))}
            </ul>
        </>
    );
}
