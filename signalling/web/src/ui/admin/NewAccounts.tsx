/** Accounts for people who come in: one by a form, many by a list from a spreadsheet. */
import {useState, type ReactNode} from 'react';
import {createAccount, importAccounts, madeUpPassword, type Created} from '../../app/admin';
import {useApp} from '../../state/app';
import {readPeople} from '../../state/csv';
import {listed, number, say} from '../../words/words';
import {Field, Refusal, useSubmit} from '../SignIn';

const empty = {username: '', email: '', first_name: '', last_name: '', password: ''};

export function NewAccounts(): ReactNode {
    const minimum = useApp((state) => state.minPassword);
    const [person, setPerson] = useState({...empty, password: madeUpPassword()});
    const [made, setMade] = useState<readonly Created[]>([]);
    const [broken, setBroken] = useState<readonly number[]>([]);
    const creating = useSubmit(async () => {
        await createAccount({...person, username: person.username.trim().toLowerCase(), email: person.email.trim()});
        setMade((before) => [...before, {username: person.username.trim().toLowerCase(), password: person.password, refusal: ''}]);
        setPerson({...empty, password: madeUpPassword()});
    });
    const field = (key: keyof typeof empty, label: string, required: boolean, type = 'text'): ReactNode => (
        <Field label={label} testId={`account-${key}`} type={type} value={person[key]} required={required} onChange={(value) => setPerson({...person, [key]: value})}/>
    );
    const importFile = async (file: File | undefined): Promise<void> => {
        if (file) {
            const {people, broken: lines} = readPeople(await file.text());
            setBroken(lines);
            await importAccounts(people, (created) => setMade((before) => [...before, created]));
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
                <input id="import-people" type="file" accept=".csv,text/csv" data-testid="import-people" onChange={(event) => {
                    void importFile(event.target.files?.[0]);
                    event.target.value = '';
                }}/>
                <p className="hint">{say('admin_import_hint')} <code dir="ltr">username,email,first_name,last_name,password</code></p>
            </div>
            {broken.length > 0 && <p className="refusal" role="alert">{say('admin_import_broken', {lines: listed(broken.map(number))})}</p>}
            {made.length > 0 && (
                <>
                    <h3>{say('admin_made')}</h3>
                    <p className="hint">{say('admin_made_hint')}</p>
                    <ul className="choices" role="status">
                        {made.map((one, index) => (
                            <li key={index} className="choice row" data-testid={`made-${one.username}`} data-refused={one.refusal !== ''}>
                                <bdi className="grow">@{one.username}</bdi>
                                {one.refusal ? <span className="refusal">{one.refusal}</span> : one.password && <code dir="ltr">{one.password}</code>}
                            </li>
                        ))}
                    </ul>
                </>
            )}
        </>
    );
}
