/** The order of people is the same for everybody, and their tiles fill the room. */
import {describe, expect, it, vi} from 'vitest';
import {recallCall, rememberCall} from '../src/app/location';
import {applyCallsEvent, type Call, type Calls} from '../src/state/calls';
import {eased, found, gathered, heardBefore, heardLately, inGroups, inOrder, mayHost, Rank, RECENT_MS, roster, sameParticipant} from '../src/state/roster';
import {TILE_GAP, tileSize} from '../src/state/tiles';

const CHANNEL = 'ch1';
const PEOPLE = ['zoe', 'anna', 'ben', 'carla', 'dora'];

function only(calls: Calls): Call {
    const call = calls[CHANNEL];
    if (!call) {
        throw new Error('there is no call');
    }
    return call;
}

/** As one sees it who was there from the start. */
function fromTheStart(): Calls {
    let calls = applyCallsEvent({}, 'call_start', CHANNEL, {id: 'c', start_at: 1, owner_id: 'zoe', host_id: 'zoe'});
    for (const user of PEOPLE) {
        calls = applyCallsEvent(calls, 'user_joined', CHANNEL, {user_id: user, session_id: `s-${user}`});
    }
    return calls;
}

/** As one sees it who came last: the server lists the sessions as they joined. */
function lateJoiner(): Calls {
    const sessions = PEOPLE.map((user) => ({session_id: `s-${user}`, user_id: user, unmuted: false, raised_hand: 0}));
    return applyCallsEvent({}, 'call_state', '', {channel_id: CHANNEL, call: {id: 'c', start_at: 1, sessions, owner_id: 'zoe', host_id: 'zoe'}});
}

const names = (call: Call, meId: string, spoke: Record<string, number> = {}, now = 1_000_000): string[] =>
    roster(call, {meId, now, spoke}).map(({userId}) => userId);

describe('the order of people', () => {
    it('is oneself, the host, the sharer, hands, recent speakers, then as they joined', () => {
        let calls = fromTheStart();
        calls = applyCallsEvent(calls, 'user_screen_on', CHANNEL, {session_id: 's-dora'});
        calls = applyCallsEvent(calls, 'user_raise_hand', CHANNEL, {session_id: 's-carla', raised_hand: 20});
        expect(names(only(calls), 'ben')).toEqual(['ben', 'zoe', 'dora', 'carla', 'anna']);
        expect(names(only(calls), 'anna', {'s-ben': 999_000})).toEqual(['anna', 'zoe', 'dora', 'carla', 'ben']);
        calls = applyCallsEvent(calls, 'user_raise_hand', CHANNEL, {session_id: 's-anna', raised_hand: 10});
        expect(names(only(calls), 'ben')).toEqual(['ben', 'zoe', 'dora', 'anna', 'carla']);
    });

    it('is the same for those who came late', () => {
        for (const me of PEOPLE) {
            expect(names(only(lateJoiner()), me)).toEqual(names(only(fromTheStart()), me));
        }
        expect(names(only(lateJoiner()), 'dora')).toEqual(['dora', 'zoe', 'anna', 'ben', 'carla']);
    });

    it('puts those who were heard before one came where the others have them', () => {
        const heard: Record<string, number> = {dora: 0, carla: 12_000};
        const sessions = PEOPLE.map((user) => ({session_id: `s-${user}`, user_id: user, unmuted: user === 'dora', raised_hand: 0, ...(user in heard && {silent_for: heard[user]})}));
        const calls = applyCallsEvent({}, 'call_state', '', {channel_id: CHANNEL, call: {id: 'c', start_at: 1, sessions, owner_id: 'zoe', host_id: 'zoe'}});
        expect(gathered(only(calls)).filter(({speaking}) => speaking).map(({userId}) => userId)).toEqual(['dora']);
        const now = 1_000_000;
        const spoke = heardBefore({'s-anna': now - 5000, 's-carla': now - 40_000}, only(calls), now);
        expect(spoke).toEqual({'s-anna': now - 5000, 's-carla': now - 12_000, 's-dora': now});
        expect(names(only(calls), 'ben', spoke, now)).toEqual(['ben', 'zoe', 'anna', 'carla', 'dora']);
        // Who has fallen silent while one was away is not shown as speaking any more.
        const back = sessions.map((session) => ({...session, silent_for: 500}));
        const after = applyCallsEvent(calls, 'call_state', '', {channel_id: CHANNEL, call: {id: 'c', start_at: 1, sessions: back, owner_id: 'zoe', host_id: 'zoe'}});
        expect(gathered(only(after)).some(({speaking}) => speaking)).toBe(false);
    });

    it('is the same for those who come back, by a reload or a new connection', () => {
        const stored = new Map<string, string>();
        vi.stubGlobal('sessionStorage', {setItem: (key: string, value: string) => stored.set(key, value), getItem: (key: string) => stored.get(key) ?? null});
        const now = Date.now();
        // Carla spoke some seconds ago, Dora speaks, and Anna was silent for long.
        const calls = applyCallsEvent(applyCallsEvent(fromTheStart(), 'user_unmuted', CHANNEL, {session_id: 's-dora'}), 'user_voice_on', CHANNEL, {session_id: 's-dora'});
        const spoke = {'s-anna': now - RECENT_MS, 's-carla': now - 9000, 's-dora': now - RECENT_MS - 1};
        const before = names(only(calls), 'ben', spoke, now);
        rememberCall({channelId: CHANNEL, muted: true, noticeSeen: 0, hostNoticeSeen: 0, alone: false, spoke: heardLately(spoke, only(calls), now)});
        const after = recallCall()?.spoke ?? {};
        expect(after).toEqual({'s-carla': now - 9000, 's-dora': now});
        expect(names(only(lateJoiner()), 'ben', after, now)).toEqual(before);
        expect(before).toEqual(['ben', 'zoe', 'carla', 'dora', 'anna']);
        vi.unstubAllGlobals();
    });

    it('leaves everybody else where they are when somebody speaks, and whose entry has the focus', () => {
        const groups = (spoke: Record<string, number>, held: string | null = null): string[][] =>
            inGroups(roster(only(fromTheStart()), {meId: 'ben', now: 1_000_000, spoke, held: new Map(held ? [[held, Rank.Other]] : [])})).map(([, people]) => people.map(({userId}) => userId));
        expect(groups({})).toEqual([['ben'], ['zoe'], ['anna', 'carla', 'dora']]);
        expect(groups({'s-carla': 999_000})).toEqual([['ben'], ['zoe'], ['carla'], ['anna', 'dora']]);
        expect(groups({'s-carla': 999_000}, 'carla')).toEqual([['ben'], ['zoe'], ['anna', 'carla', 'dora']]);
    });

    it('lets so many change their group at once, the foremost first, and the others stay where they are', () => {
        let calls = fromTheStart();
        calls = applyCallsEvent(calls, 'user_raise_hand', CHANNEL, {session_id: 's-dora', raised_hand: 20});
        const onlooker = {meId: 'ben', now: 1_000_000, spoke: {'s-carla': 999_000}};
        const all = gathered(only(calls));
        const shown = (moves: number, before: ReadonlyMap<string, Rank>): {names: string[]; ranks: Map<string, Rank>} => {
            const ranks = eased(inOrder(all, onlooker), before, moves);
            return {ranks, names: inOrder(all, {...onlooker, held: ranks}).map(({userId}) => userId)};
        };
        const still = shown(0, new Map([['ben', Rank.Self], ['zoe', Rank.Host], ['anna', Rank.Other], ['carla', Rank.Other], ['dora', Rank.Other]]));
        expect(still.names).toEqual(['ben', 'zoe', 'anna', 'carla', 'dora']);
        const first = shown(1, still.ranks);
        expect(first.names).toEqual(['ben', 'zoe', 'dora', 'anna', 'carla']);
        expect(shown(1, first.ranks).names).toEqual(['ben', 'zoe', 'dora', 'carla', 'anna']);
        expect(shown(0, new Map()).names).toEqual(['ben', 'zoe', 'dora', 'carla', 'anna']); // who is new has no place to stay in
    });

    it('forgets a speaker after a while, but not in the middle of a talk', () => {
        const call = only(fromTheStart());
        expect(names(call, 'zoe', {'s-dora': 1_000_000 - RECENT_MS + 1})).toEqual(['zoe', 'dora', 'anna', 'ben', 'carla']);
        expect(names(call, 'zoe', {'s-dora': 1_000_000 - RECENT_MS})).toEqual(['zoe', 'anna', 'ben', 'carla', 'dora']);
    });
});

it('what one person does leaves the others as they were', () => {
    const before = roster(only(fromTheStart()));
    const after = roster(only(applyCallsEvent(fromTheStart(), 'user_unmuted', CHANNEL, {session_id: 's-ben'})));
    expect(before.filter((person, at) => !sameParticipant(person, after[at] ?? person)).map(({userId}) => userId)).toEqual(['ben']);
});

describe('people', () => {
    it('are found by any part of their names, whatever case and accents', () => {
        const people = ['Zoë Müller', 'Anna Maria Ruiz', 'محمد علي'];
        const by = (wanted: string): readonly string[] => found(people, wanted, (name) => name);
        expect(by('zoe')).toEqual(['Zoë Müller']);
        expect(by(' ruiz ann')).toEqual(['Anna Maria Ruiz']);
        expect(by('علي')).toEqual(['محمد علي']);
        expect(by('')).toEqual(people);
        expect(by('nobody')).toEqual([]);
    });

    it('may host when they are the host or administer the system', () => {
        const call = only(fromTheStart());
        expect(mayHost(call, {id: 'zoe', roles: 'system_user'})).toBe(true);
        expect(mayHost(call, {id: 'ben', roles: 'system_user'})).toBe(false);
        expect(mayHost(call, {id: 'ben', roles: 'system_user system_admin'})).toBe(true);
        expect(mayHost(undefined, {id: 'zoe'})).toBe(false);
    });
});

describe('tiles', () => {
    it.each([[1, 980, 560], [2, 980, 560], [5, 980, 560], [12, 980, 560], [25, 980, 560], [50, 980, 560], [25, 980, 260], [3, 360, 300], [50, 1800, 900]])(
        '%i people in %i x %i all fit', (count, width, height) => {
            const tile = tileSize(count, width, height);
            const columns = Math.floor((width + TILE_GAP) / (tile.width + TILE_GAP));
            const rows = Math.ceil(count / columns);
            expect(rows * (tile.height + TILE_GAP) - TILE_GAP).toBeLessThanOrEqual(height);
            expect(tile.face).toBeLessThan(tile.height);
        });

    it('use what room there is', () => {
        for (const count of [2, 4, 5, 9, 16, 25, 50]) {
            const {width, height} = tileSize(count, 980, 560);
            expect((count * width * height) / (980 * 560)).toBeGreaterThan(0.55);
        }
    });

    it('stay legible when there is too little room: the list scrolls', () => {
        const tile = tileSize(50, 360, 150);
        expect(tile.form).toBe('row');
        expect(tile.width).toBeGreaterThanOrEqual(148);
        expect(tile.height).toBe(44);
    });
});
