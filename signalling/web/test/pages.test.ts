/** Long lists of people come part by part, to their end; who was shut out is in those of administrators. */
import {afterEach, expect, test, vi} from 'vitest';
import {listAccounts, searchAccounts} from '../src/app/admin';
import type {PeoplePage} from '../src/app/people';
import {findMembers, searchMembers} from '../src/app/rooms';

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
