/** Signing in, and the first account of a fresh server. */
import {useId, useState, type FormEvent, type ReactNode} from 'react';
import {describe, isForbidden} from '../api/rest';
import {signIn, signUp} from '../app/session';
import {useApp} from '../state/app';
import {say} from '../words/words';
import {LanguageField} from './LanguageField';

export function SignIn(): ReactNode {
    const noAccounts = useApp((state) => state.noAccounts);
    const signUpAllowed = useApp((state) => state.signUpAllowed);
    const siteName = useApp((state) => state.siteName);
    const fault = useApp((state) => state.fault);
    const invitation = useApp((state) => state.invitation);
    const [creating, setCreating] = useState(noAccounts || invitation !== null);
    return (
        <main className="sign-in">
            <div className="card">
                <p className="brand"><BrandMark/>{siteName}</p>
                {invitation && <p className="invited" data-testid="invited">{say('sign_invited', {team: invitation.team})}</p>}
                {fault !== '' && <p className="notice" role="alert">{fault}</p>}
                {creating ? <CreateAccount first={noAccounts}/> : <SignInForm/>}
                {(signUpAllowed || invitation) && (
                    <button type="button" className="link" onClick={() => setCreating(!creating)} data-testid="switch-sign-up">
                        {creating ? say('sign_have_account') : say('sign_create')}
                    </button>
                )}
                <LanguageField/>
            </div>
        </main>
    );
}

export function BrandMark(): ReactNode {
    return (
        <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
            <rect width="32" height="32" rx="9"/>
            <path d="M8 11a4 4 0 0 1 4-4h8a4 4 0 0 1 4 4v6a4 4 0 0 1-4 4h-5l-5 4v-4.6A4 4 0 0 1 8 17z"/>
        </svg>
    );
}

function SignInForm(): ReactNode {
    const [loginId, setLoginId] = useState('');
    const [password, setPassword] = useState('');
    const {busy, refusal, submit} = useSubmit(() => signIn(loginId.trim(), password));
    return (
        <form onSubmit={submit} aria-label={say('sign_in')}>
            <h1>{say('sign_in')}</h1>
            <Field label={say('sign_login')} testId="login-id" value={loginId} onChange={setLoginId} autoComplete="username" autoFocus/>
            <Field label={say('sign_password')} testId="password" type="password" value={password} onChange={setPassword} autoComplete="current-password"/>
            <Refusal text={refusal}/>
            <button type="submit" className="primary" disabled={busy} data-testid="sign-in">{busy ? say('sign_in_busy') : say('sign_in')}</button>
        </form>
    );
}

function CreateAccount({first}: {first: boolean}): ReactNode {
    const [username, setUsername] = useState('');
    const [email, setEmail] = useState('');
    const [password, setPassword] = useState('');
    const [token, setToken] = useState('');
    const minPassword = useApp((state) => state.minPassword);
    const needsToken = useApp((state) => state.firstAccountNeedsToken) && first;
    const {busy, refusal, submit} = useSubmit(() => signUp({
        username: username.trim().toLowerCase(), email: email.trim(), password, first_account_token: token.trim(),
    }), (error) => (needsToken && isForbidden(error) ? say('sign_why_token') : describe(error)));
    return (
        <form onSubmit={submit} aria-label={say('sign_create')}>
            <h1>{first ? say('sign_create_first') : say('sign_create')}</h1>
            {first && <p className="hint">{say('sign_first_hint')}</p>}
            {needsToken && <>
                <Field label={say('sign_token')} testId="first-account-token" value={token} onChange={setToken} autoFocus/>
                <p className="hint">{say('sign_token_hint')}</p>
            </>}
            <Field label={say('sign_username')} testId="new-username" value={username} onChange={setUsername} autoComplete="username" autoFocus={!needsToken}/>
            <Field label={say('sign_email')} testId="new-email" type="email" value={email} onChange={setEmail} autoComplete="email"/>
            <Field label={say('sign_password')} testId="new-password" type="password" value={password} onChange={setPassword} autoComplete="new-password"/>
            {minPassword > 0 && <p className="hint">{say('sign_password_hint', {count: minPassword})}</p>}
            <Refusal text={refusal}/>
            <button type="submit" className="primary" disabled={busy} data-testid="sign-up">{busy ? say('sign_create_busy') : say('sign_create_do')}</button>
        </form>
    );
}

interface FieldProps {
    label: string;
    testId: string;
    value: string;
    onChange: (value: string) => void;
    type?: string;
    autoComplete?: string;
    autoFocus?: boolean;
    required?: boolean;
}

export function Field({label, testId, value, onChange, type = 'text', autoComplete = 'off', autoFocus = false, required = true}: FieldProps): ReactNode {
    const id = useId();
    return (
        <div className="field">
            <label htmlFor={id}>{label}</label>
            <input
                id={id} dir={value === '' ? undefined : 'auto'} type={type} value={value} required={required} autoComplete={autoComplete} autoFocus={autoFocus} data-first={autoFocus || undefined} data-testid={testId}
                autoCapitalize="none" spellCheck={false} onChange={(event) => onChange(event.target.value)}
            />
        </div>
    );
}

export function Refusal({text}: {text: string}): ReactNode {
    return <p className="refusal" role="alert">{text}</p>;
}

/** A form's submit with its busy state and the refusal in words. */
export function useSubmit(act: () => Promise<void>, explain: (error: unknown) => string = describe): {busy: boolean; refusal: string; submit: (event: FormEvent) => void} {
    const [busy, setBusy] = useState(false);
    const [refusal, setRefusal] = useState('');
    const submit = (event: FormEvent): void => {
        event.preventDefault();
        setBusy(true);
        setRefusal('');
        act().catch((error: unknown) => setRefusal(explain(error))).finally(() => setBusy(false));
    };
    return {busy, refusal, submit};
}
