/** A list of people by name: searched at the server, and shown part by part, so that the first hundred are not all there are. */
import type {UserProfile} from '@mattermost/types/users';
import {useEffect, useRef, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {PEOPLE_PAGE, type PeoplePage} from '../app/people';
import {watchStatuses} from '../app/presence';
import {displayName} from '../state/chat';
import {say} from '../words/words';
import {Face} from './Face';
import {Field, Refusal} from './SignIn';

interface Props {
    label: string;
    testId: string;
    search: (term: string) => Promise<PeoplePage>;
    /** Another value searches anew, as far as it was shown. */
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
    const [found, setFound] = useState<PeoplePage | null>(null);
    const [busy, setBusy] = useState(false);
    const parts = useRef({term, wanted: 1});
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        let wanted = true;
        parts.current = {term, wanted: parts.current.term === term ? parts.current.wanted : 1};
        const timer = setTimeout(() => {
            partsOf(search(term.trim().replace(/^@/, '')), parts.current.wanted).then((page) => {
                if (wanted) {
                    setFound(page);
                    setRefusal('');
                    watchStatuses(page.people.map(({id}) => id));
                }
            }).catch((error: unknown) => wanted && setRefusal(describe(error)));
        }, term === '' ? 0 : DELAY_MS);
        return () => {
            wanted = false;
            clearTimeout(timer);
        };
    }, [term, version]);
    const showMore = (before: PeoplePage): void => {
        setBusy(true);
        parts.current.wanted += 1;
        following(before).then((page) => {
            // Something else may have been searched for in the meantime.
            setFound((now) => (now === before ? page : now));
            watchStatuses(page.people.map(({id}) => id));
        }).catch((error: unknown) => setRefusal(describe(error))).finally(() => setBusy(false));
    };
    const shown = (found?.people ?? []).filter(({id}) => !hidden.includes(id));
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
            {found?.more && <button type="button" className="link" disabled={busy} data-testid={`${testId}-more`} onClick={() => showMore(found)}>{say('people_more')}</button>}
            {found?.isCut && <p className="hint" role="status">{say('people_cut', {count: PEOPLE_PAGE})}</p>}
            {found && shown.length === 0 && <p className="muted" role="status">{say('people_nobody')}</p>}
        </>
    );
}

/** The first `count` parts as one, with nobody in it twice: the list may have moved in between. */
async function partsOf(first: Promise<PeoplePage>, count: number): Promise<PeoplePage> {
    let page = await first;
    for (let part = 1; part < count && page.more; part += 1) {
        page = await following(page);
    }
    return page;
}

async function following(page: PeoplePage): Promise<PeoplePage> {
    const next = await page.more?.();
    const known = new Set(page.people.map(({id}) => id));
    return next ? {...next, people: [...page.people, ...next.people.filter(({id}) => !known.has(id))]} : page;
}

function Who({user}: {user: UserProfile}): ReactNode {
    return (
        <>
            <Face id={user.id}/>
            <span className="grow ellipsis" dir="auto" title={displayName(user)}>{displayName(user)}</span>
            <bdi className="muted ellipsis" title={user.username}>@{user.username}</bdi>
        </>
    );
}
