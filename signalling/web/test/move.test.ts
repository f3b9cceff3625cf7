/** Going to another media host: who is the own client in the end, and what of the person's wishes goes along. */
import {beforeEach, describe, expect, test, vi} from 'vitest';
import type {CallListener, CallsClient} from '../src/peer/client';

const HERE = 'channel';

const state = vi.hoisted(() => ({
    own: null as unknown, second: null as unknown,
    active: {channelId: 'channel', sessionId: 'first', muted: true, unmuting: true, connection: 'media-interrupted', sharingBusy: false, cameraBusy: false} as Record<string, unknown> | null,
    calls: {} as Record<string, unknown>,
}));

vi.mock('../src/state/app', () => ({
    store: {get: () => ({active: state.active, calls: state.calls})},
    updateActive: (change: (active: unknown) => Record<string, unknown>) => {
        state.active = state.active && change(state.active);
    },
}));
vi.mock('../src/app/own', () => ({
    media: {exchange: () => () => undefined},
    ownClient: () => state.own,
    secondClient: () => state.second,
    setOwnClient: (client: unknown) => {
        state.own = client;
    },
    setSecond: (client: unknown) => {
        state.second = client;
    },
    applySettings: () => undefined,
    remember: () => undefined,
}));
vi.mock('../src/app/devices', () => ({listenWhileMuted: async () => undefined}));
vi.mock('../src/app/events', () => ({takeCallsEvent: () => undefined}));

const {move} = await import('../src/app/move');

class Client {
    muted = true;
    connected = false;
    shows = false;
    ended: 'left' | 'given up' | null = null;
    stays = 0;
    hands = 0;
    listener: CallListener | null = null;
    /** Called while the microphone is opened. */
    meanwhile: () => void = () => undefined;
    constructor(readonly sessionId: string) {}

    start(): void {
        setTimeout(() => {
            this.connected = true;
        }, 30);
    }

    leave(): void {
        this.ended ??= 'left';
        this.connected = false;
    }

    giveUp(): void {
        this.ended ??= 'given up';
    }

    stay(): void {
        this.stays += 1;
    }

    raiseHand(): void {
        this.hands += 1;
    }

    async setMuted(muted: boolean): Promise<void> {
        this.meanwhile();
        this.muted = muted;
    }
}

let from: Client;
let next: Client;

function moved(): Promise<void> {
    const make = (_active: unknown, _title: string, heard: (usual: CallListener) => CallListener): CallsClient => {
        next.listener = heard({onClosed: () => undefined} as unknown as CallListener);
        return next as unknown as CallsClient;
    };
    return move(from as unknown as CallsClient, async () => make as never);
}

beforeEach(() => {
    from = new Client('first');
    next = new Client('second');
    from.connected = true;
    Object.assign(state, {own: from, second: null, calls: {[HERE]: {sessions: {first: {raisedHand: 0, unmuted: true}}}}});
    state.active = {channelId: HERE, sessionId: 'first', muted: true, unmuting: true, connection: 'media-interrupted', sharingBusy: false, cameraBusy: false};
});

describe('a page that is asked to go to another media host', () => {
    test('has the second session in the end, unmuted and with the hand up as the first was', async () => {
        from.muted = false;
        state.calls = {[HERE]: {sessions: {first: {raisedHand: 5, unmuted: true}}}};
        await moved();
        expect([state.own, state.second, next.muted, next.hands]).toEqual([next, from, false, 1]);
        expect(state.active).toMatchObject({sessionId: 'second', connection: 'connected', muted: false, unmuting: false});
        await vi.waitFor(() => expect([from.ended, state.second]).toEqual(['left', null]));
    });

    test('does not open the microphone of a person who mutes while it is opened', async () => {
        from.muted = false;
        next.meanwhile = () => {
            from.muted = true;
        };
        await moved();
        expect([state.own, next.muted, state.active?.['muted']]).toEqual([next, true, true]);
    });

    test('stays out of a call that was left meanwhile, and opens no microphone', async () => {
        from.muted = false;
        const asked = vi.spyOn(next, 'setMuted');
        next.start = () => {
            next.connected = true;
            state.own = null;
        };
        await moved();
        expect([state.own, next.ended, asked.mock.calls.length, from.ended]).toEqual([null, 'left', 0, null]);
    });

    test('joins anew when the second session ends before it is used', async () => {
        next.start = () => {
            next.connected = true;
            next.meanwhile = () => {
                next.connected = false;
                next.listener?.onClosed(null);
            };
        };
        from.muted = false;
        await moved();
        expect([state.own, from.ended, next.ended]).toEqual([from, 'given up', 'left']);
    });

    test.each([{shows: true}, {}])('waits while something is shown, or is about to be: %o', async (shown) => {
        Object.assign(from, shown);
        Object.assign(state.active ?? {}, {sharingBusy: !shown.shows});
        await moved();
        expect([state.own, from.ended, from.stays, next.ended]).toEqual([from, null, 1, 'left']);
    });

    test('joins anew where no client can be made', async () => {
        await move(from as unknown as CallsClient, async () => 'unreachable');
        expect(from.ended).toBe('given up');
    });
});
