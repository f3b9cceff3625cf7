/** Requests: what is only read is asked for again while a refusal passes. */
import {afterEach, beforeEach, expect, test, vi} from 'vitest';
import {request, ServerRefusal} from '../src/api/http';

let asked = 0;

/** Answers with these one after the other, the last one for ever. */
function answer(...statuses: readonly number[]): void {
    asked = 0;
    vi.stubGlobal('fetch', () => {
        const status = statuses[Math.min(asked, statuses.length - 1)] ?? 500;
        asked += 1;
        return Promise.resolve(new Response(status === 200 ? '["what was asked for"]' : '<html>', {status}));
    });
}

/** How it ends, once all pauses are over. */
async function end(method: 'GET' | 'POST'): Promise<unknown> {
    const outcome = request(method, '/api/v4/posts').catch((error: unknown) => (error as ServerRefusal).status);
    await vi.runAllTimersAsync();
    return outcome;
}

beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('document', {cookie: ''});
});

afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

test('what is read while another process takes the lead is there a moment later', async () => {
    answer(502, 503, 504, 200);
    expect(await end('GET')).toEqual(['what was asked for']);
    expect(asked).toBe(4);
});

test('a refusal that does not pass is told, at once when it is the server\'s own', async () => {
    answer(502);
    expect(await end('GET')).toBe(502);
    expect(asked).toBe(5);
    for (const status of [401, 403, 404, 429, 500, 507]) {
        answer(status);
        expect([await end('GET'), asked]).toEqual([status, 1]);
    }
});

test('what changes something is asked for once', async () => {
    answer(502, 200);
    expect(await end('POST')).toBe(502);
    expect(asked).toBe(1);
});
