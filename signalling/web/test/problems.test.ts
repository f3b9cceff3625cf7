/** What a person is told when a call does not work. */

import {afterEach, describe, expect, test, vi} from 'vitest';

import {isPassing, joinRefused, problem} from '../src/peer/problems';
import {adviceOf, titleOf} from '../src/state/advice';

afterEach(() => vi.unstubAllGlobals());

function adviceAt(hostname: string): string {
    vi.stubGlobal('location', {hostname});
    return adviceOf(problem('media-unreachable'));
}

test('a server on the same machine is not behind a firewall', () => {
    for (const hostname of ['localhost', '127.0.0.1', '[::1]']) {
        expect(adviceAt(hostname)).toContain('PARLEY_LISTEN=0.0.0.0:8065');
    }
    expect(adviceAt('calls.example.org')).toContain('firewall');
});

describe('a refused join', () => {
    test('is told in words, also one that is not known', () => {
        expect(titleOf(joinRefused('forbidden'))).toContain('may not join');
        expect(titleOf(joinRefused('failed to get rtcd host: none'))).toContain('No media server');
        expect(titleOf(joinRefused('moon in the wrong house'))).toBe('The call could not be joined.');
        expect(titleOf(joinRefused('unlicensed servers only allow calls in DMs'))).toContain('direct messages only');
    });

    test('is not offered again where it would be refused again', () => {
        const again = (text: string): boolean => isPassing(joinRefused(text));
        expect(['calls are disabled in the channel', 'cannot join call in archived channel', 'insufficient permissions', 'forbidden'].filter(again)).toEqual([]);
        expect(['user cannot join because of limits', 'call has ended', 'moon in the wrong house'].filter((text) => !again(text))).toEqual([]);
    });
});
