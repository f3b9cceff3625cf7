/** The administrator's page: people, channels, calls that run, whether all is well. */
import type {Channel} from '@mattermost/types/channels';
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {endCall, listChannels, readHealth, type Health} from '../../app/admin';
import {archiveChannel} from '../../app/rooms';
import {useApp} from '../../state/app';
import {channelTitle, messagesIn} from '../../state/chat';
import {isDefault} from '../../state/rights';
import {say} from '../../words/words';
import {Dialog} from '../Dialog';
import {Refusal} from '../SignIn';
import {Tabs} from '../Tabs';
import {clock} from '../time';
import {AccountList} from './AccountList';
import {NewAccounts} from './NewAccounts';
import {Recordings} from './Recordings';

export function AdminDialog({onClose}: {onClose: () => void}): ReactNode {
    return (
        <Dialog title={say('admin_title')} testId="admin-dialog" wide onClose={onClose}>
            <Tabs label={say('admin_title')} tabs={[
                {id: 'people', title: say('admin_people'), content: <AccountList/>},
                {id: 'new-people', title: say('admin_new'), content: <NewAccounts/>},
                {id: 'channels', title: say('chat_channels'), content: <Channels/>},
                {id: 'calls', title: say('admin_calls'), content: <><RunningCalls/><Recordings/></>},
                {id: 'health', title: say('admin_health'), content: <HealthReport/>},
            ]}/>
        </Dialog>
    );
}

function Channels(): ReactNode {
    const [channels, setChannels] = useState<readonly Channel[] | null>(null);
    const [refusal, setRefusal] = useState('');
    const load = (): void => {
        listChannels().then(setChannels).catch((error: unknown) => setRefusal(describe(error)));
    };
    useEffect(load, []);
    return (
        <>
            <p className="hint">{say('admin_channels_hint')}</p>
            <Refusal text={refusal}/>
            <ul className="choices">
                {(channels ?? []).map((channel) => (
                    <li key={channel.id} className="choice row" data-testid={`admin-channel-${channel.name}`}>
                        <span className="grow"><bdi>{channel.display_name}</bdi> <bdi className="muted">~{channel.name}</bdi></span>
                        <span className="muted">{say('admin_messages', {count: messagesIn(channel)})}</span>
                        {!isDefault(channel) && <Confirmed label={say('people_archive')} onConfirm={() => archiveChannel(channel).then(load).catch((error: unknown) => setRefusal(describe(error)))}/>}
                    </li>
                ))}
            </ul>
        </>
    );
}

function RunningCalls(): ReactNode {
    const calls = useApp((state) => state.calls);
    const chat = useApp((state) => state.chat);
    const [refusal, setRefusal] = useState('');
    const all = Object.values(calls);
    return (
        <>
            <p className="hint">{say('admin_calls_hint')}</p>
            <Refusal text={refusal}/>
            {all.length === 0 && <p className="muted" role="status">{say('admin_no_calls')}</p>}
            <ul className="choices">
                {all.map((call) => {
                    const channel = chat.channels[call.channelId];
                    const people = new Set(Object.values(call.sessions).map(({userId}) => userId)).size;
                    return (
                        <li key={call.channelId} className="choice row" data-testid="admin-call">
                            <span className="grow"><bdi>{channel ? channelTitle(chat, channel) : call.channelId}</bdi></span>
                            <span className="muted">{say('people', {count: people})} · {say('admin_since', {time: clock(call.startAt)})}</span>
                            <Confirmed label={say('admin_end_call')} onConfirm={() => endCall(call.channelId).catch((error: unknown) => setRefusal(describe(error)))}/>
                        </li>
                    );
                })}
            </ul>
        </>
    );
}

function HealthReport(): ReactNode {
    const [health, setHealth] = useState<Health | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        readHealth().then(setHealth).catch((error: unknown) => setRefusal(describe(error)));
    }, []);
    return (
        <>
            <Refusal text={refusal}/>
            {health && (
                <dl className="facts" data-testid="health" data-ready={health.ready}>
                    <dt>{say('admin_state')}</dt><dd>{say(health.ready ? 'admin_ready' : 'admin_not_ready')}</dd>
                    {health.troubles.map((trouble) => <dd key={trouble} lang="en" dir="ltr">{trouble}</dd>)}
                    <dt>{say('admin_version')}</dt><dd><bdi>{health.version}</bdi></dd>
                </dl>
            )}
        </>
    );
}

/** A button that asks once more before it acts. */
export function Confirmed({label, testId, onConfirm}: {label: string; testId?: string; onConfirm: () => void}): ReactNode {
    const [asked, setAsked] = useState(false);
    return (
        <button type="button" className={asked ? 'danger' : ''} data-testid={testId} onBlur={() => setAsked(false)} onClick={() => {
            setAsked(!asked);
            if (asked) {
                onConfirm();
            }
        }}>
            {asked ? say('admin_sure', {what: label}) : label}
        </button>
    );
}
