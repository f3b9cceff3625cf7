import {afterEach, describe, expect, test, vi} from 'vitest';
import {initialState, store} from '../src/state/app';

describe('a server without calls', () => {
    afterEach(() => {
        vi.unstubAllGlobals();
        store.update(() => initialState);
    });
    const answering = (status: (path: string) => number): void => {
        vi.stubGlobal('fetch', async (path: string) => new Response(status(path) === 200 ? (path.endsWith('/channels') ? '[]' : '{}') : '{"message": "none"}', {status: status(path)}));
    };

    test('is told from one that fails, and may have calls later', async () => {
        const {refreshCalls} = await import('../src/app/events');
        answering(() => 500);
        await refreshCalls();
        expect([store.get().noCalls, store.get().callsConfig]).toEqual([false, null]);
        answering(() => 404);
        await refreshCalls();
        expect([store.get().noCalls, store.get().callsConfig, store.get().fault]).toEqual([true, null, '']);
        answering(() => 200);
        await refreshCalls();
        expect([store.get().noCalls, store.get().callsConfig !== null]).toEqual([false, true]);
    });

    test('carries out no command of calls, and starts none', async () => {
        const {carryOut} = await import('../src/app/commands');
        store.update((state) => ({...state, noCalls: true}));
        const place = {channelId: 'c', rootId: ''};
        for (const command of ['/call start', '/call leave', '/call recording start']) {
            expect(await carryOut(command, place), command).toBe('Calls are switched off here');
        }
        expect(store.get().active).toBeNull();
    });
});
