/** All calls that run. Whose a call between a few people is, administrators are not told. */
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {endCall, readCalls, type RunningCall} from '../../app/admin';
import {listed, say} from '../../words/words';
import {Refusal} from '../SignIn';
import {clock} from '../time';
import {Confirmed} from './Confirmed';

const LOOK_AGAIN_MS = 5000;

export function RunningCalls(): ReactNode {
    const [calls, setCalls] = useState<readonly RunningCall[] | null>(null);
    const [refusal, setRefusal] = useState('');
    const load = (): void => {
        readCalls().then(setCalls).catch((error: unknown) => setRefusal(describe(error)));
    };
    useEffect(() => {
        load();
        const timer = setInterval(load, LOOK_AGAIN_MS);
        return () => clearInterval(timer);
    }, []);
    return (
        <>
            <p className="hint">{say('admin_calls_hint')}</p>
            <Refusal text={refusal}/>
            {calls?.length === 0 && <p className="muted" role="status">{say('admin_no_calls')}</p>}
            <ul className="choices">
                {(calls ?? []).map((call) => (
                    <li key={`${call.channelId} ${call.startAt}`} className="choice row" data-testid="admin-call" data-people={call.people}>
                        <span className="grow" title={listed(call.names)}>
                            {call.channelName === '' ? say('admin_call_personal') : <bdi>{call.channelName}</bdi>}
                        </span>
                        {call.isRecorded && <span className="tag">{say('admin_call_recorded')}</span>}
                        <span className="muted">{say('people', {count: call.people})} · {say('admin_since', {time: clock(call.startAt)})}</span>
                        {call.channelId !== '' && (
                            <Confirmed label={say('admin_end_call')} testId="admin-end-call" onConfirm={() => endCall(call.channelId).then(load).catch((error: unknown) => setRefusal(describe(error)))}/>
                        )}
                    </li>
                ))}
            </ul>
        </>
    );
}
