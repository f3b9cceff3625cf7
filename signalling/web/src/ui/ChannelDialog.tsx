/** About a channel: who is in it, bringing others in, its name and topic, leaving and archiving. */
import type {Channel} from '@mattermost/types/channels';
import type {UserProfile} from '@mattermost/types/users';
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {openDirect} from '../app/channels';
import {addMember, archiveChannel, countMembers, describeChannel, findMembers, leaveChannel, removeMember, searchMembers, searchOthers} from '../app/rooms';
import {useApp} from '../state/app';
import {channelTitle, displayName} from '../state/chat';
import {isDefault, mayAddPeople, mayLeave, mayManage, mayRemove} from '../state/rights';
import {say} from '../words/words';
import {Dialog} from './Dialog';
import {CheckIcon, CloseIcon, PlusIcon} from './icons';
import {PeoplePicker} from './PeoplePicker';
import {Field, Refusal, useSubmit} from './SignIn';
import {Tabs} from './Tabs';

export function ChannelDialog({channel, onClose}: {channel: Channel; onClose: () => void}): ReactNode {
    const title = useApp((state) => channelTitle(state.chat, channel));
    return (
        <Dialog title={title} testId="channel-dialog" onClose={onClose}>
            {(close) => (
                <Tabs label={say('people_about', {name: title})} tabs={[
                    {id: 'members', title: say('people_members'), content: <Members channel={channel} onClose={close}/>},
                    ...(mayAddPeople(channel) ? [{id: 'add-people', title: say('people_add'), content: <AddPeople channel={channel}/>}] : []),
                    {id: 'about', title: say('people_settings'), content: <About channel={channel} onClose={close}/>},
                ]}/>
            )}
        </Dialog>
    );
}

function Members({channel, onClose}: {channel: Channel; onClose: () => void}): ReactNode {
    const me = useApp((state) => state.chat.me?.id);
    const canRemove = useApp((state) => mayRemove(state.chat, channel));
    const [count, setCount] = useState<number | null>(null);
    const [version, setVersion] = useState(0);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        countMembers(channel.id).then(setCount).catch(() => undefined);
    }, [channel.id, version]);
    const act = (doing: Promise<void>, then: () => void): void => {
        doing.then(then).catch((error: unknown) => setRefusal(describe(error)));
    };
    return (
        <>
            {count !== null && <p className="muted" data-testid="member-count">{say('people', {count})}</p>}
            <PeoplePicker
                label={say('people_find_member')} testId="find-member" version={version}
                search={(term) => (term === '' ? findMembers(channel.id) : searchMembers(channel.id, term))}
                onPick={(user) => act(openDirect(user), onClose)}
                action={(user) => canRemove && user.id !== me && (
                    <button type="button" className="icon-button" aria-label={say('people_remove', {name: displayName(user)})} title={say('people_remove', {name: displayName(user)})} data-testid={`remove-${user.username}`}
                        onClick={() => act(removeMember(channel, user), () => setVersion(version + 1))}><CloseIcon/></button>
                )}
            />
            <Refusal text={refusal}/>
        </>
    );
}

function AddPeople({channel}: {channel: Channel}): ReactNode {
    const [added, setAdded] = useState<readonly UserProfile[]>([]);
    const [refusal, setRefusal] = useState('');
    const add = (user: UserProfile): void => {
        setRefusal('');
        addMember(channel, user).then(() => setAdded((before) => [...before, user])).catch((error: unknown) => setRefusal(describe(error)));
    };
    return (
        <>
            <PeoplePicker
                label={say('people_name')} testId="find-person" search={(term) => searchOthers(channel.id, term)}
                hidden={added.map(({id}) => id)} onPick={add} action={() => <PlusIcon/>} autoFocus
            />
            <Refusal text={refusal}/>
            <ul className="added">
                {added.map((user) => <li key={user.id} className="row" data-testid={`added-${user.username}`}><CheckIcon/>{say('people_added_now', {name: displayName(user)})}</li>)}
            </ul>
        </>
    );
}

function About({channel, onClose}: {channel: Channel; onClose: () => void}): ReactNode {
    const canManage = useApp((state) => mayManage(state.chat, channel.id));
    const [name, setName] = useState(channel.display_name);
    const [topic, setTopic] = useState(channel.header);
    const [purpose, setPurpose] = useState(channel.purpose);
    const [archiving, setArchiving] = useState(false);
    const saving = useSubmit(() => describeChannel(channel, {display_name: name.trim(), header: topic.trim(), purpose: purpose.trim()}).then(onClose));
    const leaving = useSubmit(() => leaveChannel(channel).then(onClose));
    const ending = useSubmit(() => archiveChannel(channel).then(onClose));
    return (
        <>
            {canManage ? (
                <form onSubmit={saving.submit} aria-label={say('people_settings')}>
                    <Field label={say('people_channel_name')} testId="channel-name" value={name} onChange={setName}/>
                    <Field label={say('people_topic')} testId="channel-topic" value={topic} onChange={setTopic} required={false}/>
                    <Field label={say('people_purpose')} testId="channel-purpose" value={purpose} onChange={setPurpose} required={false}/>
                    <Refusal text={saving.refusal}/>
                    <button type="submit" className="primary" disabled={saving.busy} data-testid="save-channel">{say('chat_save')}</button>
                </form>
            ) : (
                <dl className="facts">
                    {channel.header !== '' && <><dt>{say('people_topic')}</dt><dd dir="auto">{channel.header}</dd></>}
                    {channel.purpose !== '' && <><dt>{say('people_purpose')}</dt><dd dir="auto">{channel.purpose}</dd></>}
                    {channel.header === '' && channel.purpose === '' && <dd className="muted">{say('people_no_topic')}</dd>}
                </dl>
            )}
            {mayLeave(channel) && (
                <form className="dialog-actions" onSubmit={leaving.submit}>
                    <Refusal text={leaving.refusal || ending.refusal}/>
                    {canManage && !isDefault(channel) && !archiving && <button type="button" className="link" data-testid="archive-channel" onClick={() => setArchiving(true)}>{say('people_archive')}</button>}
                    <button type="submit" disabled={leaving.busy} data-testid="leave-channel">{say('people_leave')}</button>
                </form>
            )}
            {archiving && (
                <form className="notice danger" onSubmit={ending.submit}>
                    <p className="grow">{say('people_archive_hint')}</p>
                    <button type="submit" className="danger" disabled={ending.busy} data-testid="confirm-archive">{say('people_archive')}</button>
                    <button type="button" onClick={() => setArchiving(false)}>{say('chat_cancel')}</button>
                </form>
            )}
        </>
    );
}
