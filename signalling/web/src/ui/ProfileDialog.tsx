/** The own account and how the page looks: names, status, language, colours, password, sign-ins. */
import {useId, useRef, useState, type ReactNode} from 'react';
import {describe} from '../api/rest';
import {chooseTheme} from '../app/look';
import {chooseStatus} from '../app/presence';
import {setApart} from '../app/threads';
import {changeNames, changePassword, changePicture, removePicture} from '../app/profile';
import {useApp, type Theme} from '../state/app';
import {displayName} from '../state/chat';
import type {Status} from '../state/presence';
import {say} from '../words/words';
import {Avatar} from './Avatar';
import {Dialog} from './Dialog';
import {statusWord} from './Face';
import {LanguageField} from './LanguageField';
import {Field, Refusal, useSubmit} from './SignIn';
import {SignInList} from './SignInList';
import {Tabs} from './Tabs';

const STATUSES: readonly Status[] = ['online', 'away', 'dnd', 'offline'];

export function ProfileDialog({onClose}: {onClose: () => void}): ReactNode {
    return (
        <Dialog title={say('people_profile')} testId="profile-dialog" onClose={onClose}>
            <Tabs label={say('people_profile')} tabs={[
                {id: 'names', title: say('people_names'), content: <Names/>},
                {id: 'look', title: say('people_look'), content: <Look/>},
                {id: 'password', title: say('sign_password'), content: <Password/>},
                {id: 'sign-ins', title: say('people_sign_ins'), content: <SignIns/>},
            ]}/>
        </Dialog>
    );
}

function Names(): ReactNode {
    const me = useApp((state) => state.chat.me);
    const status = useApp((state) => state.presence.statuses[me?.id ?? ''] ?? 'online');
    const [names, setNames] = useState({
        nickname: me?.nickname ?? '', first_name: me?.first_name ?? '', last_name: me?.last_name ?? '', position: me?.position ?? '',
    });
    const [saved, setSaved] = useState(false);
    const saving = useSubmit(() => changeNames(names).then(() => setSaved(true)));
    const field = (key: keyof typeof names, label: string): ReactNode => (
        <Field label={label} testId={`my-${key}`} value={names[key]} required={false} onChange={(value) => {
            setSaved(false);
            setNames({...names, [key]: value});
        }}/>
    );
    const id = useId();
    return (
        <form onSubmit={saving.submit} aria-label={say('people_names')}>
            <Picture/>
            <p className="muted"><bdi>@{me?.username}</bdi> · <bdi>{me?.email}</bdi></p>
            <div className="field">
                <label htmlFor={id}>{say('people_status')}</label>
                <select id={id} value={status} data-testid="my-status" onChange={(event) => void chooseStatus(event.target.value as Status)}>
                    {STATUSES.map((one) => <option key={one} value={one}>{statusWord(one)}</option>)}
                </select>
            </div>
            {field('nickname', say('people_nickname'))}
            {field('first_name', say('people_first_name'))}
            {field('last_name', say('people_last_name'))}
            {field('position', say('people_position'))}
            <Refusal text={saving.refusal}/>
            <p role="status" className="muted" data-testid="saved">{saved ? say('people_saved') : ''}</p>
            <button type="submit" className="primary" disabled={saving.busy} data-testid="save-names">{say('chat_save')}</button>
        </form>
    );
}

function Picture(): ReactNode {
    const me = useApp((state) => state.chat.me);
    const [refusal, setRefusal] = useState('');
    const picker = useRef<HTMLInputElement>(null);
    const change = (changing: Promise<void>): void => {
        setRefusal('');
        changing.catch((error: unknown) => setRefusal(error instanceof DOMException ? say('people_picture_unread') : describe(error)));
    };
    return (
        <div className="row my-picture">
            <Avatar name={displayName(me ?? undefined)} id={me?.id ?? ''} size="large"/>
            <input ref={picker} type="file" accept="image/*" hidden data-testid="my-picture" onChange={(event) => {
                const file = event.target.files?.[0];
                event.target.value = '';
                if (file) {
                    change(changePicture(file));
                }
            }}/>
            <button type="button" data-testid="choose-picture" onClick={() => picker.current?.click()}>{say('people_picture')}</button>
            {(me?.last_picture_update ?? 0) > 0 && <button type="button" data-testid="remove-picture" onClick={() => change(removePicture())}>{say('people_picture_remove')}</button>}
            <Refusal text={refusal}/>
        </div>
    );
}

function Look(): ReactNode {
    const theme = useApp((state) => state.theme);
    const apart = useApp((state) => state.chat.apart);
    const id = useId();
    const themes: readonly [Theme, string][] = [['system', say('people_theme_system')], ['light', say('people_theme_light')], ['dark', say('people_theme_dark')]];
    return (
        <div className="fields">
            <LanguageField/>
            <div className="field">
                <label htmlFor={id}>{say('people_theme')}</label>
                <select id={id} value={theme} data-testid="theme" onChange={(event) => chooseTheme(event.target.value as Theme)}>
                    {themes.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
                </select>
            </div>
            <label className="check">
                <input type="checkbox" data-testid="threads-apart" checked={apart} onChange={(event) => void setApart(event.target.checked)}/>{say('thread_apart')}
            </label>
        </div>
    );
}

function Password(): ReactNode {
    const minimum = useApp((state) => state.minPassword);
    const [current, setCurrent] = useState('');
    const [next, setNext] = useState('');
    const [saved, setSaved] = useState(false);
    const saving = useSubmit(() => changePassword(current, next).then(() => {
        setSaved(true);
        setCurrent('');
        setNext('');
    }));
    return (
        <form onSubmit={saving.submit} aria-label={say('sign_password')}>
            <Field label={say('people_password_now')} testId="current-password" type="password" value={current} onChange={setCurrent} autoComplete="current-password"/>
            <Field label={say('people_password_next')} testId="next-password" type="password" value={next} onChange={setNext} autoComplete="new-password"/>
            {minimum > 0 && <p className="hint">{say('sign_password_hint', {count: minimum})}</p>}
            <p className="hint">{say('people_password_hint')}</p>
            <Refusal text={saving.refusal}/>
            <p role="status" className="muted">{saved ? say('people_saved') : ''}</p>
            <button type="submit" className="primary" disabled={saving.busy} data-testid="save-password">{say('people_password_change')}</button>
        </form>
    );
}

function SignIns(): ReactNode {
    return (
        <>
            <p className="hint">{say('people_sign_ins_hint')}</p>
            <SignInList userId="me" testId="my-sign-in"/>
        </>
    );
}
