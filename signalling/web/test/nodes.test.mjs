/**
 * The nodes of a cluster, as the administrator's page tells them.
 *
 * Which states and kinds there are is read from the sources that write them: a new one without words fails here.
 */
import {readFileSync} from 'node:fs';
import {beforeAll, afterEach, describe, expect, test} from 'vitest';
import {kindWords, parseNodes, sightWords, stateWords} from '../src/state/nodes';
import {LANGUAGES, laterMessagesOf, messagesOf} from '../src/words/languages';
import later from '../src/words/en-later.json';
import {learn, speak} from '../src/words/words';

const ROOT = new URL('../../../', import.meta.url);
const NOW = 1_700_000_000_000;

const LINK = {node: 'two', round_trip_us: 1250, lost_ppm: 20_000};
const UP = {id: 'one', kind: 'media', version: '0.7.0', url: 'http://10.0.0.2:8045', draining: false, stands_by: false, state: 'up', since_ms: 61_000, load: 125, calls: 3, sessions: 12, links: [LINK]};

function seen(...rows) {
    return parseNodes({node: 'front', site: 'parley', sight: 'clear', why: '', nodes: rows, engine: {}}, NOW);
}

function written(path, pattern) {
    return [...readFileSync(new URL(path, ROOT), 'utf8').split('#[cfg(test)]')[0].matchAll(pattern)].map(([, word]) => word);
}

const SIGHTS = ['alone', ...written('signalling/server/src/nodes.rs', /Sight::\w+(?:\(why\))? => \("(\w+)"/g)];
const STATES = ['draining', 'stands by', ...written('signalling/server/src/nodes.rs', /State::\w+ => "(\w+)"/g)];
const KINDS = written('deploy/node/src/facts.rs', /Self::\w+ => "(\w+)"/g);

beforeAll(() => learn(later));
afterEach(async () => speak('en', await messagesOf('en')));

test('the sources still write them where they are looked for', () => {
    expect([SIGHTS.length, STATES.length, KINDS.length]).toEqual([4, 6, 4]);
});

test.each(LANGUAGES.map(({tag}) => tag))('every sight, kind and state has words of its own in %s', async (tag) => {
    speak(tag, {...await messagesOf(tag), ...(tag === 'en' ? {} : await laterMessagesOf(tag))});
    const said = [SIGHTS.map(sightWords), KINDS.map(kindWords), STATES.map(stateWords)];
    expect(said.map((words) => new Set(words).size)).toEqual([4, 4, 6]);
    expect(said.flat().filter((words) => words === '' || words.startsWith('admin_'))).toEqual([]);
});

describe('a node', () => {
    test('is told with its load of 1, since when it is so, and what it carries', () => {
        const {nodes: [node], connections} = seen(UP);
        expect(node).toEqual({id: 'one', isHere: false, kind: 'media', state: 'up', since: NOW - 61_000, load: 0.125, calls: 3, sessions: 12, trouble: '', version: '0.7.0', url: 'http://10.0.0.2:8045'});
        expect(connections).toEqual([{from: 'one', to: 'two', roundTripMs: 1.25, lost: 0.02}]);
    });

    test('that drains or stands by says so while it is heard, and only then', () => {
        const states = [{draining: true}, {stands_by: true}, {draining: true, state: 'silent'}, {stands_by: true, state: 'left'}, {state: 'suspect'}]
            .map((more) => seen({...UP, ...more}).nodes[0].state);
        expect(states).toEqual(['draining', 'stands by', 'silent', 'left', 'suspect']);
    });

    test('that carries no media has no count of calls, and one that says nothing no load', () => {
        const {nodes: [front, mute]} = seen({...UP, id: 'front', kind: 'signalling'}, {...UP, id: 'new', kind: '', version: null, url: null, load: null});
        expect([front.isHere, front.calls, front.sessions]).toEqual([true, null, null]);
        expect([mute.isHere, mute.load, mute.version, mute.url, kindWords(mute.kind)]).toEqual([false, null, '', '', 'Not known']);
    });

    test('that is a job service says how many calls it works for, and what is wrong with it', () => {
        const {nodes: [up, away]} = seen(
            {id: 'jobs:4545', kind: 'offloader', state: 'up', since_ms: 0, calls: 1, why: '', url: 'http://jobs:4545'},
            {id: 'far:4545', kind: 'offloader', state: 'silent', since_ms: 0, calls: null, why: 'the job service did not answer just now', url: 'http://far:4545'},
        );
        expect([up.state, up.calls, up.sessions, up.load, up.version, up.trouble]).toEqual(['up', 1, null, null, '', '']);
        expect([away.state, away.calls, away.trouble]).toEqual(['silent', null, 'the job service did not answer just now']);
    });

    test('that is not up has connections no more', () => {
        expect(seen({...UP, state: 'silent'}, {...UP, state: 'suspect'}).connections).toEqual([]);
        expect(seen({...UP, draining: true}).connections).toHaveLength(1);
    });
});

test('a server on its own has no nodes, and one that has not joined says why', () => {
    expect(parseNodes({sight: 'alone', why: '', nodes: []}, NOW)).toEqual({sight: 'alone', why: '', node: '', site: '', nodes: [], connections: []});
    const joining = parseNodes({node: 'front', site: 'parley', sight: 'joining', why: 'the servers are away', nodes: []}, NOW);
    expect([joining.sight, joining.why]).toEqual(['joining', 'the servers are away']);
});
