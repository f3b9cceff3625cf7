/** Where somebody is signed in: since when, until when, with what as far as the server knows it; each can be ended. */
import type {Session} from '@mattermost/types/sessions';
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {endSignIn, listSignIns} from '../app/profile';
import {deviceIn} from '../state/device';
import {listed, say} from '../words/words';
import {Refusal} from './SignIn';
import {moment} from './time';

interface Props {
    /** `me`, or the id of somebody for an administrator. */
    userId: string;
    /** Of each line. */
    testId: string;
    /** What is said where there is none. */
    none?: string;
    onEnded?: () => void;
}

export function SignInList({userId, testId, none = '', onEnded}: Props): ReactNode {
    const [sessions, setSessions] = useState<readonly Session[] | null>(null);
    const [refusal, setRefusal] = useState('');
    const refused = (error: unknown): void => setRefusal(describe(error));
    const load = (): void => {
        listSignIns(userId).then(setSessions).catch(refused);
    };
    useEffect(load, [userId]);
    const end = (session: Session): void => {
        setRefusal('');
        endSignIn(userId, session).then(() => {
            load();
            onEnded?.();
        }).catch(refused);
    };
    return (
        <>
            <Refusal text={refusal}/>
            {sessions?.length === 0 && none !== '' && <p className="muted" role="status" data-testid={`${testId}-none`}>{none}</p>}
            <ul className="choices">
                {(sessions ?? []).map((session) => (
                    <li key={session.id} className="choice row" data-testid={testId}>
                        <span className="grow">
                            {say('people_signed_in_at', {time: moment(session.create_at)})}
                            <span className="row-below muted">{listed([deviceIn(session, say('people_sign_in_phone')), session.expires_at > 0 ? say('people_invite_until', {time: moment(session.expires_at)}) : ''])}</span>
                        </span>
                        <button type="button" onClick={() => end(session)}>{say('people_end_sign_in')}</button>
                    </li>
                ))}
            </ul>
        </>
    );
}
