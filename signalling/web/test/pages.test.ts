/** Long lists of people come part by part, to their end; who was shut out is in those of administrators. */
import {afterEach, expect, test, vi} from 'vitest';
import {importAccounts, listAccounts, searchAccounts, type Created} from '../src/app/admin';
import type {PeoplePage} from '../src/app/people';
import {readPeople} from '../src/state/csv';
import {findMembers, searchMembers, searchPeople} from '../src/app/rooms';

afterEach(() => vi.unstubAllGlobals());

const asked: string[] = [];

/** A server with so many people who may sign in, and so many who may not. */
function serve(active: number, out: number): void {
    asked.length = 0;
    const person = (id: string, deletedAt: number): object => ({id, username: id, roles: 'system_user', delete_at: deletedAt});
    const [living, gone] = [Array.from({length: active}, (_, at) => person(`a${at}`, 0)), Array.from({length: out}, (_, at) => person(`z${at}`, 5))];
    vi.stubGlobal('document', {cookie: ''});
    vi.stubGlobal('fetch', (address: string, init: RequestInit) => {
        const url = new URL(address, 'http://parley.test');
        asked.push(`${url.search}${typeof init.body === 'string' ? init.body : ''}`);
        const page = Number(url.searchParams.get('page'));
        const found = init.method === 'POST' ? [...living, ...gone].slice(0, 100) : (url.searchParams.get('inactive') === 'true' ? gone : living).slice(page * 100, page * 100 + 100);
        return Promise.resolve(new Response(JSON.stringify(found)));
    });
}

async function whole(first: Promise<PeoplePage>): Promise<{sizes: number[]; ids: string[]}> {
    const [sizes, ids]: [number[], string[]] = [[], []];
    for (let page: PeoplePage | undefined = await first; page; page = await page.more?.()) {
        sizes.push(page.people.length);
        ids.push(...page.people.map(({id}) => id));
    }
    return {sizes, ids};
}

test('every account is listed, those who were shut out at the end', async () => {
    serve(230, 2);
    const {sizes, ids} = await whole(listAccounts());
    expect(sizes).toEqual([100, 100, 32]);
    expect([new Set(ids).size, ids.at(-3), ids.at(-1)]).toEqual([232, 'a229', 'z1']);
    serve(3, 130);
    expect((await whole(listAccounts())).sizes).toEqual([103, 30]);
    serve(100, 0);
    expect((await whole(listAccounts())).sizes).toEqual([100, 0]);
});

test('a search for accounts finds who was shut out, and says when there are more', async () => {
    serve(3, 2);
    const found = await searchAccounts('a');
    expect([found.people.map(({delete_at: at}) => at > 0), found.isCut, found.more]).toEqual([[false, false, false, true, true], false, null]);
    expect(asked.at(-1)).toContain('"allow_inactive":true');
    serve(130, 0);
    expect((await searchAccounts('a')).isCut).toBe(true);
});

test('all members of a channel are listed, and a search says when there are more', async () => {
    serve(120, 0);
    expect((await whole(findMembers('c1'))).sizes).toEqual([100, 20]);
    expect(asked.every((query) => query.includes('in_channel=c1') && !query.includes('inactive'))).toBe(true);
    expect((await searchMembers('c1', 'a')).isCut).toBe(true);
});

test('somebody beyond the first hundred is found to write to, and that there are more is said', async () => {
    const everybody = Array.from({length: 250}, (_, at) => ({id: `p${at}`, username: `p${at}`, roles: 'system_user', delete_at: at === 248 ? 5 : 0, is_bot: at === 247}));
    vi.stubGlobal('document', {cookie: ''});
    vi.stubGlobal('fetch', (_: string, {method, body}: {method: string; body: string}) => {
        const {term, limit} = method === 'POST' ? JSON.parse(body) as {term: string; limit: number} : {term: '', limit: 100};
        return Promise.resolve(new Response(JSON.stringify(everybody.filter(({username}) => username.startsWith(term)).slice(0, limit))));
    });
    const names = ({people, isCut}: PeoplePage): unknown[] => [isCut, ...people.map(({username}) => username)];
    const first = await searchPeople('');
    expect([first.people.length, first.isCut, first.people.some(({username}) => username === 'p249')]).toEqual([100, true, false]);
    expect(names(await searchPeople('p249'))).toEqual([false, 'p249']);
    expect(names(await searchPeople('p24'))).toEqual([false, 'p24', ...[0, 1, 2, 3, 4, 5, 6, 9].map((last) => `p24${last}`)]);
    expect((await searchPeople('p')).isCut).toBe(true);
});

test('a list of people is made by the server as the command line does it, part by part, with the lines of the list', async () => {
    vi.stubGlobal('document', {cookie: ''});
    const lists: string[] = [];
    vi.stubGlobal('fetch', (_: string, {body}: {body: string}) => {
        const {csv} = JSON.parse(body) as {csv: string};
        lists.push(csv);
        const names = csv.trim().split('\n').slice(1).map((row) => row.split(',')[0]?.replaceAll('"', ''));
        return Promise.resolve(names.includes('zoe')
            ? new Response(JSON.stringify({id: 'api.user.import.invalid_list.app_error', message: 'Line 2: the password holds the user name: choose another\nline 3: it is there twice'}), {status: 400})
            : new Response(JSON.stringify(names.map((username) => ({username, outcome: username === 'p1' ? 'exists' : 'added', password: username === 'p1' ? null : 'made up', message: null})))));
    });
    const done: Created[] = [];
    const list = readPeople(`username,last_name,role\n${Array.from({length: 200}, (_, at) => `p${at},"Berg ""B""",administrator\n`).join('')}\n\nzoe,,\nyan,,\n`);
    const refused = await importAccounts(list.people, (created) => done.push(created));
    expect(lists.map((csv) => csv.split('\n').length)).toEqual([202, 4]);
    expect(lists[0]?.split('\n').slice(0, 2)).toEqual(['username,email,first_name,last_name,nickname,password,role', '"p0","","","Berg ""B""","","","administrator"']);
    expect(done.slice(0, 2)).toEqual([{username: 'p0', password: 'made up', refusal: '', exists: false}, {username: 'p1', password: '', refusal: '', exists: true}]);
    expect(done.length).toBe(200);
    expect(refused.map(({line, isEasyPassword}) => [line, isEasyPassword])).toEqual([[204, true], [205, false]]);
});
