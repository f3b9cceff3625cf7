/** What a person is told depends on where the page is. */

import {afterEach, expect, test, vi} from 'vitest';

import {problem} from '../src/peer/problems';

afterEach(() => vi.unstubAllGlobals());

function adviceAt(hostname: string): string {
    vi.stubGlobal('location', {hostname});
    return problem('media-unreachable').advice;
}

test('a server on the same machine is not behind a firewall', () => {
    for (const hostname of ['localhost', '127.0.0.1', '[::1]']) {
        expect(adviceAt(hostname)).toContain('PARLEY_LISTEN=0.0.0.0:8065');
    }
    expect(adviceAt('calls.example.org')).toContain('firewall');
});
