/**
 * What the server says is wrong with it has words of the page, in every language.
 *
 * The texts are read from the sources that write them: a new one without words fails here.
 */
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {beforeAll, expect, test} from 'vitest';
import {troubleWords} from '../src/state/troublewords';
import {LANGUAGES, laterMessagesOf, messagesOf} from '../src/words/languages';
import later from '../src/words/en-later.json';
import {learn, speak} from '../src/words/words';

const ROOT = new URL('../../../', import.meta.url);
const TEXT = '"((?:[^"\\\\]|\\\\.|\\\\\\n\\s*)+)"';

/** Where troubles are written, how they stand there, how many there are at least, and what surrounds them when they are told. */
const SOURCES = [
    ['signalling/server/src/door/rtcd/hosts.rs', `vec!\\[\\s*${TEXT}`, 1],
    ['signalling/server/src/door/rtcd/hosts.rs', `\\(true, false\\) => \\{\\s*${TEXT}`, 1, 'media host http://10.0.0.7:8045: {}'],
    ['signalling/server/src/door/rtcd/connection/carry.rs', `return (?:format!\\()?${TEXT}`, 5, 'media host http://10.0.0.7:8045: {}'],
    ['signalling/server/src/start.rs', `\\.check(?:_once_per)?\\((?:\\w+, )?${TEXT}`, 4, '{} did not answer within 2s'],
    ['signalling/server/src/http/overview.rs', `let problem = ${TEXT}`, 1],
    ['signalling/server/src/jobs.rs', `Err\\(${TEXT}`, 1],
    ['signalling/server/src/jobs.rs', 'format!\\("(job service [^"]+)"', 2],
    ['deploy/storage/src/sql/error.rs', `#\\[error\\(${TEXT}`, 1, '{}', {operation: 'begin a write that shows the health', database: '/data/chat.db'}],
    ['deploy/storage/src/blob.rs', `#\\[error\\(${TEXT}`, 2, '{}', {operation: 'write', key: 'health', place: '/data/files'}, /no space|operation/],
    ['deploy/service/src/supervise/life.rs', `write_str\\(${TEXT}`, 1, 'offloader: task `pump` {}'],
];

function troublesIn([path, pattern, least, around = '{}', values = {}, wanted = /./]) {
    const source = readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8').split('#[cfg(test)]')[0];
    const texts = [...source.matchAll(new RegExp(pattern, 'g'))].map(([, text]) => text).filter((text) => wanted.test(text));
    return {path, pattern, least, found: texts.map((text) => around.replace('{}', text.replace(/\\\n\s*/g, '').replace(/\{(\w*)[^}]*\}/g, (_, name) => values[name] ?? 'x')))};
}

const read = SOURCES.map(troublesIn);

beforeAll(() => learn(later));

test('the sources still write them where they are looked for', () => {
    expect(read.filter(({found, least}) => found.length < least).map(({path, pattern, found}) => `${path}: ${pattern} finds ${found.join(' | ') || 'nothing'}`)).toEqual([]);
});

test.each(LANGUAGES.map(({tag}) => tag))('every trouble is said in %s', async (tag) => {
    speak(tag, {...await messagesOf(tag), ...(tag === 'en' ? {} : await laterMessagesOf(tag))});
    const silent = read.flatMap(({found}) => found).filter((text) => troubleWords(text) === '');
    expect(silent).toEqual([]);
    speak('en', await messagesOf('en'));
});

test('a media server is named, and what is not known is not guessed', () => {
    expect(troubleWords('media host http://10.0.0.7:8045: it closed the WebSocket').replace(/[\u2068\u2069]/g, '')).toBe('The media server http://10.0.0.7:8045 is not connected.');
    expect(troubleWords('no space is left for `a` in /data/files')).toBe('There is no room left on the disk.');
    expect(troubleWords('the moon is in the wrong house')).toBe('');
});
