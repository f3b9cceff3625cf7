/** Inviting people: a link to hand on, how long and for how many it is good, and those handed out before. */
import {useEffect, useId, useState, type ReactNode} from 'react';
import {describe, type Invite} from '../api/rest';
import {listInvites, makeInvite, withdrawInvite} from '../app/invites';
import {announce} from '../state/app';
import {currentLocale, say} from '../words/words';
import {Dialog} from './Dialog';
import {Refusal, useSubmit} from './SignIn';
import {moment} from './time';

const HOUR = 3600;
const LIFETIMES: readonly [seconds: number, unit: 'hour' | 'day', count: number][] = [[HOUR, 'hour', 1], [24 * HOUR, 'day', 1], [7 * 24 * HOUR, 'day', 7], [30 * 24 * HOUR, 'day', 30]];
const USUAL_LIFETIME = 7 * 24 * HOUR;
/** 0 is any number. */
const USES = [1, 5, 20, 100, 0];

export function InviteDialog({onClose}: {onClose: () => void}): ReactNode {
    return <Dialog title={say('people_invite')} testId="invite-dialog" onClose={onClose}><Inviting/></Dialog>;
}

function Inviting(): ReactNode {
    const [lifetime, setLifetime] = useState(USUAL_LIFETIME);
    const [uses, setUses] = useState(1);
    const [link, setLink] = useState('');
    const [invites, setInvites] = useState<readonly Invite[]>([]);
    const [refusal, setRefusal] = useState('');
    const ids = [useId(), useId()] as const;
    const load = (): void => {
        listInvites().then(setInvites).catch((error: unknown) => setRefusal(describe(error)));
    };
    useEffect(load, []);
    const making = useSubmit(async () => {
        setLink((await makeInvite(lifetime, uses)).link);
        load();
    });
    return (
        <>
            <form onSubmit={making.submit} className="two-columns" aria-label={say('people_invite')}>
                <div className="field">
                    <label htmlFor={ids[0]}>{say('people_invite_good')}</label>
                    <select id={ids[0]} value={lifetime} data-testid="invite-lifetime" onChange={(event) => setLifetime(Number(event.target.value))}>
                        {LIFETIMES.map(([seconds, unit, count]) => <option key={seconds} value={seconds}>{new Intl.NumberFormat(currentLocale(), {style: 'unit', unit, unitDisplay: 'long'}).format(count)}</option>)}
                    </select>
                </div>
                <div className="field">
                    <label htmlFor={ids[1]}>{say('people_invite_for')}</label>
                    <select id={ids[1]} value={uses} data-testid="invite-uses" onChange={(event) => setUses(Number(event.target.value))}>
                        {USES.map((count) => <option key={count} value={count}>{count === 0 ? say('people_invite_any') : say('people', {count})}</option>)}
                    </select>
                </div>
                <Refusal text={making.refusal || refusal}/>
                <button type="submit" className="primary" disabled={making.busy} data-testid="make-invite">{say('people_invite_make')}</button>
            </form>
            {link !== '' && <Link link={link}/>}
            {invites.length > 0 && <h3>{say('people_invite_open')}</h3>}
            <ul className="choices">
                {invites.map((invite) => (
                    <li key={invite.id} className="choice row" data-testid="open-invite">
                        <span className="grow">
                            {say('people_invite_until', {time: moment(invite.expires_at)})}
                            <span className="muted"> · {invite.max_uses === 0 ? say('people_invite_any') : say('people_invite_used', {used: invite.uses, all: invite.max_uses})}</span>
                        </span>
                        <button type="button" data-testid="withdraw-invite" onClick={() => withdrawInvite(invite).then(load).catch((error: unknown) => setRefusal(describe(error)))}>{say('people_invite_withdraw')}</button>
                    </li>
                ))}
            </ul>
        </>
    );
}

function Link({link}: {link: string}): ReactNode {
    const [copied, setCopied] = useState(false);
    useEffect(() => setCopied(false), [link]);
    const copy = async (): Promise<void> => {
        try {
            await navigator.clipboard.writeText(link);
            setCopied(true);
            announce(say('chat_copied'));
        } catch {
            announce(say('chat_not_copied')); // it stands there to be copied by hand
        }
    };
    return (
        <div className="field made-link">
            <div className="row">
                <input className="grow" readOnly dir="ltr" value={link} aria-label={say('people_invite_link')} data-testid="invite-link" onFocus={(event) => event.target.select()}/>
                <button type="button" data-testid="copy-invite" onClick={() => void copy()}>{copied ? say('chat_copied') : say('people_invite_copy')}</button>
            </div>
            <p className="hint">{say('people_invite_hint')}</p>
        </div>
    );
}
