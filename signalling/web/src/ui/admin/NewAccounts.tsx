/** Accounts for people who come in: one by a form, many by a list from a spreadsheet. */
import {useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {createAccount, importAccounts, madeUpPassword, type Created, type ListRefusal} from '../../app/admin';
import {useApp} from '../../state/app';
import {COLUMNS, MOST_PEOPLE, readPeople, type Mistake} from '../../state/csv';
import {number, say} from '../../words/words';
import {Field, Refusal, useSubmit} from '../SignIn';

const empty = {username: '', email: '', first_name: '', last_name: '', nickname: '', password: ''};
/** So many mistakes of a list are told at once. */
const TOLD = 50;

export function NewAccounts(): ReactNode {
    const minimum = useApp((state) => state.minPassword);
    const [person, setPerson] = useState({...empty, password: madeUpPassword()});
    const [made, setMade] = useState<readonly Created[]>([]);
    const [refused, setRefused] = useState<readonly ListRefusal[]>([]);
    const [fault, setFault] = useState('');
    const [busy, setBusy] = useState(false);
    const [mistakes, setMistakes] = useState<readonly Mistake[]>([]);
    const creating = useSubmit(async () => {
        await createAccount({...person, username: person.username.trim().toLowerCase(), email: person.email.trim()});
        setMade((before) => [...before, {username: person.username.trim().toLowerCase(), password: person.password, refusal: '', exists: false}]);
        setPerson({...empty, password: madeUpPassword()});
    });
    const field = (key: keyof typeof empty, label: string, required: boolean, type = 'text'): ReactNode => (
        <Field label={label} testId={`account-${key}`} type={type} value={person[key]} required={required} onChange={(value) => setPerson({...person, [key]: value})}/>
    );
    const importFile = async (file: File | undefined): Promise<void> => {
        if (file) {
            const {people, mistakes: found} = readPeople(await file.text(), minimum);
            setMistakes(found);
            setRefused([]);
            setFault('');
            setBusy(true);
            await importAccounts(people, (created) => setMade((before) => [...before, created]))
                .then(setRefused, (error: unknown) => setFault(describe(error)))
                .finally(() => setBusy(false));
        }
    };
    return (
        <>
            <form onSubmit={creating.submit} aria-label={say('admin_new')} className="two-columns">
                {field('username', say('sign_username'), true)}
                {field('email', say('sign_email'), false, 'email')}
                {field('first_name', say('people_first_name'), false)}
                {field('last_name', say('people_last_name'), false)}
                {field('password', say('sign_password'), true)}
                {minimum > 0 && <p className="hint">{say('sign_password_hint', {count: minimum})}</p>}
                <Refusal text={creating.refusal}/>
                <button type="submit" className="primary" disabled={creating.busy} data-testid="create-account">{say('sign_create_do')}</button>
            </form>
            <div className="field">
                <label htmlFor="import-people">{say('admin_import')}</label>
                <input id="import-people" type="file" disabled={busy} accept=".csv,text/csv" data-testid="import-people" onChange={(event) => {
                    void importFile(event.target.files?.[0]);
                    event.target.value = '';
                }}/>
                <p className="hint">{say('admin_import_hint')} <code dir="ltr">{COLUMNS.join()}</code></p>
            </div>
            <Refusal text={fault}/>
            {refused.length > 0 && (
                <div className="refusal" role="alert" data-testid="import-refused">
                    <p>{say('admin_import_refused')}</p>
                    <ul>{refused.map((one, at) => <li key={at}><RefusalWords {...one}/></li>)}</ul>
                </div>
            )}
            {mistakes.length > 0 && (
                <div className="refusal" role="alert" data-testid="import-mistakes" data-count={mistakes.length}>
                    <p>{say('admin_import_refused')}</p>
                    <ul>{mistakes.slice(0, TOLD).map((mistake) => <li key={`${mistake.line} ${mistake.what}`}>{mistakeWords(mistake, minimum)}</li>)}</ul>
                    {mistakes.length > TOLD && <p>{say('admin_import_more', {more: number(mistakes.length - TOLD)})}</p>}
                </div>
            )}
            {made.length > 0 && (
                <>
                    <h3>{say('admin_made')}</h3>
                    <p className="hint">{say('admin_made_hint')}</p>
                    <ul className="choices" role="status">
                        {made.map((one, index) => (
                            <li key={index} className="choice row" data-testid={`made-${one.username}`} data-refused={one.refusal !== ''} data-exists={one.exists}>
                                <bdi className="grow">@{one.username}</bdi>
                                {one.exists && <span className="muted">{say('admin_import_exists')}</span>}
                                {one.password !== '' && <code dir="ltr">{one.password}</code>}
                                {one.refusal !== '' && <span className="refusal" lang="en">{one.refusal}</span>}
                            </li>
                        ))}
                    </ul>
                </>
            )}
        </>
    );
}

function RefusalWords({line, text, isEasyPassword}: ListRefusal): ReactNode {
    const why = isEasyPassword ? say('sign_why_password_common') : text;
    return <span {...(isEasyPassword ? {} : {lang: 'en'})}>{line === 0 ? why : say('admin_import_line', {line, why})}</span>;
}

function mistakeWords({line, why, what}: Mistake, minimum: number): string {
    const words = ((): string => {
        switch (why) {
        case 'column':
            return say('admin_import_column', {what});
        case 'no-username':
            return say('admin_import_no_username', {what});
        case 'fields':
            return say('admin_import_fields', {what});
        case 'username':
            return say('sign_why_username');
        case 'email':
            return say('sign_why_email');
        case 'name':
            return say('people_why_name');
        case 'password':
            return say('sign_password_hint', {count: minimum});
        case 'role':
            return say('admin_import_role', {what});
        case 'twice':
            return say('admin_import_twice', {what});
        case 'nobody':
            return say('admin_import_nobody');
        case 'many':
            return say('admin_import_many', {most: MOST_PEOPLE});
        }
    })();
    return line === 0 ? words : say('admin_import_line', {line, why: words});
}
