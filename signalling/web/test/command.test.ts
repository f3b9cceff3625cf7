import {beforeEach, describe, expect, test} from 'vitest';
import {callLog, logCall} from '../src/app/calllog';
import {coded, commandAt, readCommand} from '../src/state/command';
import {queryAt, withChoice} from '../src/state/complete';

describe('a command', () => {
    test.each([
        ['/call start', 'start', ''],
        ['/call  start  The weekly  one ', 'start', 'The weekly one'],
        ['/call join', 'join', ''],
        ['/call leave', 'leave', ''],
        ['/call end', 'end', ''],
        ['/call logs', 'logs', ''],
        ['/call stats', 'stats', ''],
        ['/call recording start', 'recording start', ''],
        ['/call recording stop', 'recording stop', ''],
    ])('%s is carried out here', (text, verb, rest) => {
        expect(readCommand(text)).toEqual({verb, rest});
    });

    test.each(['/call', '/call link', '/call host @ben', '/call stats e30=', '/call recording', '/call recording now', '/call join now', '/calls start', '/me waves'])('%s is the server’s', (text) => {
        expect(readCommand(text).verb).toBe('');
    });

    test('is completed from its sign on, in its first line', () => {
        expect([commandAt('/ca', 3), commandAt('/call st', 8), commandAt('a /ca', 5), commandAt('//', 2), commandAt('/a\nb', 4)]).toEqual(['/ca', '/call st', null, null, null]);
        expect(queryAt('/call st', 8)).toEqual({kind: 'command', term: '/call st', from: 0});
        expect(queryAt('/call host @be', 14)).toEqual({kind: 'person', term: 'be', from: 11});
        const query = queryAt('/call st', 8);
        expect(query && withChoice('/call st', 8, query, '/call start')).toEqual({text: '/call start ', cursor: 12});
    });
});

test('measurements that are too long for a command lose their last ones', () => {
    const bytes = Uint8Array.from(atob(coded({rtt: 0.5, name: 'Zoë'})), (character) => character.charCodeAt(0));
    expect(new TextDecoder().decode(bytes)).toBe('{"rtt":0.5,"name":"Zoë"}');
    const many = Object.fromEntries(Array.from({length: 200}, (_, index) => [`id${index}`, 'x'.repeat(200)]));
    const text = coded(many);
    expect(text.length).toBeLessThanOrEqual(16_000);
    const kept = Object.keys(JSON.parse(atob(text)) as object);
    expect(kept.length).toBeGreaterThan(20);
    expect(kept[0]).toBe('id0');
});

describe('the log of calls', () => {
    beforeEach(() => {
        for (let line = 0; line < 1200; line += 1) {
            logCall('event', {line});
        }
    });

    test('keeps what came last', () => {
        const lines = callLog().split('\n');
        expect(lines).toHaveLength(1000);
        expect(lines.at(-1)).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z event line=1199$/);
    });
});
