/**
 * A list of people as a spreadsheet writes it (RFC 4180): commas or semicolons, quotes, a first line
 * with the names of the columns. With the rules of `parley people import`, as far as a page knows them.
 *
 * In: text. Out: people, or every mistake with its line; a list with a mistake is not to be used. And people as the
 * server reads them. Pure.
 */

export interface NewPerson {
    username: string;
    email: string;
    first_name: string;
    last_name: string;
    nickname: string;
    /** Empty: one is made up. */
    password: string;
}

export interface ListedPerson extends NewPerson {
    line: number;
    isAdministrator: boolean;
}

export interface Mistake {
    /** Counted as an editor counts; 0 for the list as a whole. */
    line: number;
    why: 'column' | 'no-username' | 'fields' | 'username' | 'email' | 'name' | 'password' | 'role' | 'twice' | 'nobody' | 'many';
    /** What is wrong, as it stands there. */
    what: string;
}

export interface ReadPeople {
    people: readonly ListedPerson[];
    mistakes: readonly Mistake[];
}

export const COLUMNS = ['username', 'email', 'first_name', 'last_name', 'nickname', 'password', 'role'] as const;
export const MOST_PEOPLE = 10_000;
const ROLES = ['', 'person', 'administrator'];
const RESERVED = ['all', 'channel', 'here', 'me', 'system'];
const MAX_NAME = 64;
const MAX_EMAIL = 128;

/** `minPassword`: characters; 0 where the server does not say. */
export function readPeople(text: string, minPassword = 0): ReadPeople {
    const [head, ...records] = recordsIn(text.replace(/^\ufeff/, ''));
    // As people name them in a spreadsheet: "First name", "E-mail".
    const columns = (head?.cells ?? []).map((name) => name.trim().toLowerCase().replace(/[\s-]+/g, '_').replace(/^e_mail$/, 'email'));
    const mistakes: Mistake[] = columns.flatMap((name, at) => ((COLUMNS as readonly string[]).includes(name) ? [] : [{line: 1, why: 'column' as const, what: head?.cells[at]?.trim() ?? ''}]));
    if (!columns.includes('username')) {
        mistakes.push({line: 1, why: 'no-username', what: 'username'});
    }
    if (mistakes.length > 0) {
        return {people: [], mistakes};
    }
    const people: ListedPerson[] = [];
    const seen = new Set<string>();
    for (const {line, cells} of records.filter((record) => record.cells.some((cell) => cell.trim() !== ''))) {
        const field = (name: typeof COLUMNS[number]): string => (cells[columns.indexOf(name)] ?? '').trim();
        const person: ListedPerson = {
            line, username: field('username').toLowerCase(), email: field('email').toLowerCase(), first_name: field('first_name'), last_name: field('last_name'),
            nickname: field('nickname'), password: field('password'), isAdministrator: field('role') === 'administrator',
        };
        const wrong = cells.length !== columns.length ? {why: 'fields' as const, what: String(cells.length)} : wrongOf(person, field('role'), minPassword, seen);
        if (wrong) {
            mistakes.push({line, ...wrong});
        }
        people.push(person);
    }
    if (people.length === 0 || people.length > MOST_PEOPLE) {
        mistakes.push({line: 0, why: people.length === 0 ? 'nobody' : 'many', what: ''});
    }
    return {people: mistakes.length > 0 ? [] : people, mistakes};
}

/** The same people, one a line below the names of the columns. */
export function listOf(people: readonly ListedPerson[]): string {
    const quoted = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;
    const row = (person: ListedPerson): string => COLUMNS.map((name) => quoted(name === 'role' ? (person.isAdministrator ? 'administrator' : 'person') : person[name])).join();
    return [COLUMNS.join(), ...people.map(row), ''].join('\n');
}

/** The first rule that the line breaks; notes its names in `seen`. */
function wrongOf(person: ListedPerson, role: string, minPassword: number, seen: Set<string>): Omit<Mistake, 'line'> | null {
    const {username, email, password} = person;
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(username) || RESERVED.includes(username)) {
        return {why: 'username', what: username};
    }
    if (email !== '' && (email.length > MAX_EMAIL || !/^[^\s@]+@[^\s]+$/.test(email))) {
        return {why: 'email', what: email};
    }
    const name = [person.first_name, person.last_name, person.nickname].find((one) => [...one].length > MAX_NAME);
    if (name !== undefined) {
        return {why: 'name', what: name};
    }
    if (password !== '' && [...password].length < minPassword) {
        return {why: 'password', what: username};
    }
    if (!ROLES.includes(role)) {
        return {why: 'role', what: role};
    }
    const twice = [username, email].find((one) => one !== '' && seen.has(one));
    seen.add(username).add(email);
    return twice === undefined ? null : {why: 'twice', what: twice};
}

interface Row {
    /** Where it begins. */
    line: number;
    cells: string[];
}

function recordsIn(text: string): Row[] {
    const firstLine = text.slice(0, text.search(/\r?\n|$/));
    const comma = firstLine.split(';').length > firstLine.split(',').length ? ';' : ',';
    const all: Row[] = [];
    let line = 1;
    let row: Row = {line, cells: []};
    let cell = '';
    let quoted = false;
    const endCell = (): void => {
        row.cells.push(cell);
        cell = '';
    };
    for (let index = 0; index < text.length; index += 1) {
        const character = text[index] ?? '';
        line += Number(character === '\n');
        if (quoted) {
            if (character !== '"') {
                cell += character;
            } else if (text[index + 1] === '"') {
                cell += '"';
                index += 1;
            } else {
                quoted = false;
            }
        } else if (character === '"' && cell.trim() === '') {
            quoted = true;
            cell = '';
        } else if (character === comma) {
            endCell();
        } else if (character === '\n') {
            endCell();
            all.push(row);
            row = {line, cells: []};
        } else if (character !== '\r') {
            cell += character;
        }
    }
    if (cell !== '' || row.cells.length > 0) {
        endCell();
        all.push(row);
    }
    return all;
}
