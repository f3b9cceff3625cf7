/**
 * A list of people as a spreadsheet writes it (RFC 4180): commas or semicolons, quotes, a first line
 * with the names of the columns.
 *
 * In: text. Out: rows, or what is wrong in which line. Pure.
 */

export interface NewPerson {
    username: string;
    email: string;
    first_name: string;
    last_name: string;
    /** Empty: one is made up. */
    password: string;
}

export interface ReadPeople {
    people: NewPerson[];
    /** Lines, counted from 1, that name nobody. */
    broken: number[];
}

const COLUMNS = ['username', 'email', 'first_name', 'last_name', 'password'] as const;

export function readPeople(text: string): ReadPeople {
    const lines = rows(text.replace(/^\ufeff/, ''));
    const head = (lines[0] ?? []).map((name) => name.trim().toLowerCase().replace(/[\s-]+/g, '_'));
    const named = head.includes('username');
    const at = (column: string): number => (named ? head.indexOf(column) : (COLUMNS as readonly string[]).indexOf(column));
    const result: ReadPeople = {people: [], broken: []};
    lines.forEach((cells, index) => {
        if ((named && index === 0) || cells.every((cell) => cell.trim() === '')) {
            return;
        }
        const read = (column: string): string => (cells[at(column)] ?? '').trim();
        const username = read('username').toLowerCase().replace(/^@/, '');
        if (username === '') {
            result.broken.push(index + 1);
        } else {
            result.people.push({username, email: read('email'), first_name: read('first_name'), last_name: read('last_name'), password: read('password')});
        }
    });
    return result;
}

function rows(text: string): string[][] {
    const firstLine = text.slice(0, text.search(/\r?\n|$/));
    const comma = firstLine.split(';').length > firstLine.split(',').length ? ';' : ',';
    const all: string[][] = [];
    let row: string[] = [];
    let cell = '';
    let quoted = false;
    const endCell = (): void => {
        row.push(cell);
        cell = '';
    };
    for (let index = 0; index < text.length; index += 1) {
        const character = text[index] ?? '';
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
            row = [];
        } else if (character !== '\r') {
            cell += character;
        }
    }
    if (cell !== '' || row.length > 0) {
        endCell();
        all.push(row);
    }
    return all;
}
