/** Channels of all teams, private ones too: found by name, archived, opened again. */
import type {Channel} from '@mattermost/types/channels';
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {findChannels, reopenChannel} from '../../app/admin';
import {archiveChannel} from '../../app/rooms';
import {messagesIn} from '../../state/chat';
import {isDefault} from '../../state/rights';
import {say} from '../../words/words';
import {LockIcon} from '../icons';
import {Field, Refusal} from '../SignIn';
import {Confirmed} from './Confirmed';

const DELAY_MS = 150;

export function Channels(): ReactNode {
    const [term, setTerm] = useState('');
    const [version, setVersion] = useState(0);
    const [channels, setChannels] = useState<readonly Channel[] | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        let wanted = true;
        const timer = setTimeout(() => {
            findChannels(term).then((found) => wanted && setChannels(found)).catch((error: unknown) => setRefusal(describe(error)));
        }, channels === null ? 0 : DELAY_MS);
        return () => {
            wanted = false;
            clearTimeout(timer);
        };
    }, [term, version]);
    const act = (doing: Promise<void>): void => {
        setRefusal('');
        doing.then(() => setVersion((before) => before + 1)).catch((error: unknown) => setRefusal(describe(error)));
    };
    return (
        <>
            <p className="hint">{say('admin_channels_hint')}</p>
            <Field label={say('people_channel_name')} testId="find-channel" value={term} onChange={setTerm} required={false}/>
            <Refusal text={refusal}/>
            <ul className="choices">
                {(channels ?? []).map((channel) => (
                    <li key={channel.id} className="choice row" data-testid={`admin-channel-${channel.name}`} data-archived={channel.delete_at > 0}>
                        <span className="grow">
                            {channel.type === 'P' && <LockIcon/>} <bdi>{channel.display_name}</bdi> <bdi className="muted">~{channel.name}</bdi>
                        </span>
                        <span className="muted">{say('admin_messages', {count: messagesIn(channel)})}</span>
                        {channel.delete_at > 0
                            ? <button type="button" data-testid="reopen-channel" onClick={() => act(reopenChannel(channel))}>{say('admin_reopen')}</button>
                            : !isDefault(channel) && <Confirmed label={say('people_archive')} testId="admin-archive" onConfirm={() => act(archiveChannel(channel))}/>}
                    </li>
                ))}
            </ul>
        </>
    );
}
