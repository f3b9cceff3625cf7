/**
 * Every reason that the server and its services give for people has words of the page, in every language.
 *
 * The reasons are read from the sources that write them: a new one without words fails here.
 */
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {beforeAll, expect, test} from 'vitest';
import {EASY_PASSWORD} from '../src/app/admin';
import {isFailure} from '../src/state/advice';
import {captionNotice, reasonWords} from '../src/state/reasons';
import {LANGUAGES, messagesOf} from '../src/words/languages';
import {learn, speak} from '../src/words/words';
import later from '../src/words/en-later.json';

const ROOT = new URL('../../../', import.meta.url);
/** A text of Rust, that may go on in the next line. */
const TEXT = '"((?:[^"\\\\]|\\\\.|\\\\\\n\\s*)+)"';

/** Where reasons are written: how they stand there, how many there are at least, and what stands before them on the wire. */
const SOURCES = [
    ['signalling/server/src/door/calls/words.rs', `LeaveError::\\w+ => ${TEXT}`, 2],
    ['signalling/server/src/door/calls/words/told/en.rs', `Told::(?:No[A-Z]\\w+|Not\\w+|BotHost|RecordingsOff|Records\\w+|Paused\\w+) => ${TEXT}`, 11, /^[a-z]/],
    ['signalling/server/src/door/calls/words.rs', `BotDidNotCome\\(\\w+\\)\\) => format!\\(\\s*${TEXT}`, 1],
    ['signalling/server/src/door/calls/words.rs', `NotTaken \\{[^}]+\\}\\) => \\{\\s*format!\\(${TEXT}`, 1],
    ['signalling/server/src/http/recording.rs', `let message = format!\\(${TEXT}`, 1],
    ['offloader/src/worker/live.rs', `End::(?:asked|trouble)\\(\\s*${TEXT}`, 6],
    ['offloader/src/worker/live.rs', `let waited = format!\\(${TEXT}`, 1],
    ['offloader/src/worker/live.rs', `if err.is_empty\\(\\) \\{ ${TEXT}`, 1],
    ['offloader/src/worker.rs', `const NOTHING_RECORDED: &str = ${TEXT}`, 1],
    ['offloader/src/worker/results.rs', `let why = (?:format!\\()?${TEXT}`, 2],
    ['offloader/src/worker/transcript.rs', `NothingToHandIn\\(${TEXT}`, 1],
    ['offloader/src/worker/transcript.rs', `(?:Err|let note = )\\(?format!\\(${TEXT}`, 2],
    ['offloader/src/worker/listening.rs', `format!\\(${TEXT}(?=, error|\\))`, 2, /^no transcript/],
    ['offloader/src/worker/captions.rs', `const NO_MODEL: &str = ${TEXT}`, 1],
    ['offloader/src/speech/captions/stream.rs', `Self::(?:Behind|NotUnderstood|NoModel) => ${TEXT}`, 3],
    ['offloader/src/client.rs', `#\\[error\\(${TEXT}`, 5],
    ['offloader/src/disk.rs', `format!\\(\\s*${TEXT}`, 1],
    ['offloader/src/jobs/follow.rs', `const (?:RECORDER|TRANSCRIBER)_DIED: &str =\\s*${TEXT}`, 2],
    ['offloader/src/jobs/follow.rs', `let note = format!\\(${TEXT}`, 1, /^its worker/],
    ['offloader/src/jobs/speech.rs', `${TEXT}`, 1, /^this server has no/],
];

/** Of the bot, whom the page does not show as somebody who could be made host. */
const NOT_FOR_PEOPLE = ['cannot assign the bot to be host: not allowed'];

function reasonsIn([path, pattern, least, wanted = /./]) {
    const source = readFileSync(fileURLToPath(new URL(path, ROOT)), 'utf8').split('#[cfg(test)]')[0];
    const found = [...source.matchAll(new RegExp(pattern, 'g'))]
        .map(([, text]) => text.replace(/\\\n\s*/g, '').replace(/\{[^}]*\}/g, 'x'))
        .filter((text) => wanted.test(text));
    return {path, pattern, least, found};
}

const read = SOURCES.map(reasonsIn);

beforeAll(() => learn(later));

test('the sources still write them where they are looked for', () => {
    expect(read.filter(({found, least}) => found.length < least).map(({path, pattern, found}) => `${path}: ${pattern} finds ${found.join(' | ') || 'nothing'}`)).toEqual([]);
});

test.each(LANGUAGES.map(({tag}) => tag))('every reason is said in %s', async (tag) => {
    speak(tag, await messagesOf(tag));
    const all = [...new Set(read.flatMap(({found}) => found))].filter((text) => !NOT_FOR_PEOPLE.includes(text));
    const silent = all.filter((text) => {
        const plain = text.replace(/^\[(.*)\]$/, '$1');
        return reasonWords(plain) === '' || captionNotice(text) === plain;
    });
    expect(silent).toEqual([]);
    speak('en', await messagesOf('en'));
});

test('that nobody spoke is told, and no failure', () => {
    expect([isFailure({part: 'transcript', reason: 'nobody said anything'}), isFailure({part: 'transcript', reason: 'its worker died'}), isFailure({part: 'captions', reason: ''})]).toEqual([false, true, true]);
});

test('a password that the server finds too easy is told from other mistakes of a list', () => {
    const rule = readFileSync(fileURLToPath(new URL('messaging/src/embedded/passwords/rule.rs', ROOT)), 'utf8');
    const texts = [...rule.matchAll(new RegExp(`refuse\\(${TEXT}`, 'g'))].map(([, text]) => text);
    expect(texts.length).toBeGreaterThanOrEqual(3);
    expect(texts.filter((text) => !EASY_PASSWORD.test(text))).toEqual([]);
});
