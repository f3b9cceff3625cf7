/** A list of people by name: searched at the server, so that the first two hundred are not all there are. */
import type {UserProfile} from '@mattermost/types/users';
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {watchStatuses} from '../app/presence';
import {displayName} from '../state/chat';
import {say} from '../words/words';
import {Face} from './Face';
import {Field, Refusal} from './SignIn';

interface Props {
    label: string;
    testId: string;
    search: (term: string) => Promise<UserProfile[]>;
    /** Another value searches anew. */
    version?: number;
    hidden?: readonly string[];
    onPick: ((user: UserProfile) => void) | null;
    /** What else can be done with somebody. */
    action?: (user: UserProfile) => ReactNode;
    autoFocus?: boolean;
}

const DELAY_MS = 150;

export function PeoplePicker({label, testId, search, version = 0, hidden = [], onPick, action, autoFocus = false}: Props): ReactNode {
    const [term, setTerm] = useState('');
    const [found, setFound] = useState<UserProfile[] | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        let wanted = true;
        const timer = setTimeout(() => {
            search(term.trim().replace(/^@/, '')).then((users) => {
                if (wanted) {
                    setFound(users);
                    setRefusal('');
                    watchStatuses(users.map(({id}) => id));
                }
            }).catch((error: unknown) => wanted && setRefusal(describe(error)));
        }, term === '' ? 0 : DELAY_MS);
        return () => {
            wanted = false;
            clearTimeout(timer);
        };
    }, [term, version]);
    const shown = (found ?? []).filter(({id}) => !hidden.includes(id));
    return (
        <>
            <Field label={label} testId={testId} value={term} onChange={setTerm} autoFocus={autoFocus} required={false}/>
            <Refusal text={refusal}/>
            <ul className="choices">
                {shown.map((user) => (
                    <li key={user.id} className="choice" data-testid={`listed-${user.username}`}>
                        {onPick ? (
                            <button type="button" className="entry grow" data-testid={`person-${user.username}`} onClick={() => onPick(user)}><Who user={user}/></button>
                        ) : <span className="entry grow"><Who user={user}/></span>}
                        {action?.(user)}
                    </li>
                ))}
            </ul>
            {found && shown.length === 0 && <p className="muted" role="status">{say('people_nobody')}</p>}
        </>
    );
}

function Who({user}: {user: UserProfile}): ReactNode {
    return (
        <>
            <Face id={user.id}/>
            <span className="grow ellipsis" dir="auto">{displayName(user)}</span>
            <bdi className="muted ellipsis">@{user.username}</bdi>
        </>
    );
}
