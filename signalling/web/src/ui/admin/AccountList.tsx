/** Everybody with an account: rights, shutting out and letting in, password, sign-ins. */
import type {UserProfile} from '@mattermost/types/users';
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {countAccounts, endSignIns, madeUpPassword, resetPassword, searchAccounts, setActive, setAdministrator} from '../../app/admin';
import {useApp} from '../../state/app';
import {displayName} from '../../state/chat';
import {isAdministrator} from '../../state/rights';
import {say} from '../../words/words';
import {Dialog} from '../Dialog';
import {MoreIcon} from '../icons';
import {Menu, MenuItem} from '../Menu';
import {PeoplePicker} from '../PeoplePicker';
import {Refusal} from '../SignIn';
import {SignInList} from '../SignInList';

export function AccountList(): ReactNode {
    const [count, setCount] = useState<number | null>(null);
    const [version, setVersion] = useState(0);
    const [refusal, setRefusal] = useState('');
    const [word, setWord] = useState('');
    const [looked, setLooked] = useState<UserProfile | null>(null);
    const me = useApp((state) => state.chat.me?.id);
    useEffect(() => {
        countAccounts().then(setCount).catch(() => undefined);
    }, [version]);
    const act = (doing: Promise<void>, done: string): void => {
        setRefusal('');
        doing.then(() => {
            setWord(done);
            setVersion((before) => before + 1);
        }).catch((error: unknown) => setRefusal(describe(error)));
    };
    return (
        <>
            {count !== null && <p className="muted" data-testid="account-count">{say('admin_accounts', {count})}</p>}
            <Refusal text={refusal}/>
            <p role="status" className="muted" data-testid="admin-done">{word}</p>
            <PeoplePicker label={say('people_name')} testId="find-account" search={searchAccounts} version={version} onPick={null} action={(user) => {
                const name = displayName(user);
                const out = user.delete_at > 0;
                const password = madeUpPassword();
                return (
                    <>
                        {out && <span className="tag" data-testid={`out-${user.username}`}>{say('admin_out')}</span>}
                        {isAdministrator(user) && <span className="tag" data-testid={`admin-${user.username}`}>{say('admin_role')}</span>}
                        <Menu label={say('admin_change', {name})} testId={`account-${user.username}`} icon={<MoreIcon/>}>
                            <MenuItem testId="toggle-admin" onSelect={() => act(setAdministrator(user, !isAdministrator(user)), say('admin_changed', {name}))}>
                                {say(isAdministrator(user) ? 'admin_unmake' : 'admin_make')}
                            </MenuItem>
                            <MenuItem testId="reset-password" onSelect={() => act(resetPassword(user, password), say('admin_new_password', {name, password}))}>{say('admin_reset')}</MenuItem>
                            <MenuItem testId="show-sign-ins" onSelect={() => setLooked(user)}>{say('admin_sign_ins')}</MenuItem>
                            <MenuItem testId="end-sign-ins" onSelect={() => act(endSignIns(user), say('admin_signed_out', {name}))}>{say('admin_end_sign_ins')}</MenuItem>
                            {user.id !== me && (
                                <MenuItem testId="toggle-active" danger={!out} onSelect={() => act(setActive(user, out), say(out ? 'admin_let_in_now' : 'admin_shut_out_now', {name}))}>
                                    {say(out ? 'admin_let_in' : 'admin_shut_out')}
                                </MenuItem>
                            )}
                        </Menu>
                    </>
                );
            }}/>
            {looked && (
                <Dialog title={say('admin_sign_ins_of', {name: displayName(looked)})} testId="sign-ins-dialog" onClose={() => setLooked(null)}>
                    <SignInList userId={looked.id} testId="sign-in-of" none={say('admin_sign_ins_none', {name: displayName(looked)})} onEnded={() => setWord(say('admin_sign_in_ended', {name: displayName(looked)}))}/>
                </Dialog>
            )}
        </>
    );
}
