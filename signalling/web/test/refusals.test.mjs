/**
 * Every id of a refusal that a person can meet in the page has words of the page, and the page knows no
 * id that no server writes.
 *
 * The ids are read from the sources that write them: a new one without words fails here.
 */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {beforeAll, expect, test, vi} from 'vitest';
import {ServerRefusal} from '../src/api/http';
import {LATER_REFUSALS} from '../src/api/laterrefusals';
import {describe, learnRefusals, REFUSALS} from '../src/api/rest';
import later from '../src/words/en-later.json';
import {LANGUAGES, laterMessagesOf, messagesOf} from '../src/words/languages';
import {learn, speak} from '../src/words/words';

const ROOT = new URL('../../../', import.meta.url);
const FOLDERS = ['messaging/src', 'signalling/server/src'];
const ID = /"((?:api|app|model|store)(?:\.\w+){2,})"/g;
/** As the server answers what breaks a rule: no words come from this status itself. */
const BROKEN_RULE = 400;

const ids = [...new Set(FOLDERS.flatMap((folder) => {
    const path = fileURLToPath(new URL(folder, ROOT));
    return readdirSync(path, {recursive: true}).filter((name) => /\.rs$/.test(name) && !/tests?(\/|\.rs)/.test(name))
        .flatMap((name) => [...readFileSync(join(path, name), 'utf8').split('#[cfg(test)]')[0].matchAll(ID)].map(([, id]) => id));
}))].sort();
const table = {...REFUSALS, ...LATER_REFUSALS};

/** What the page says by the status alone. */
const BY_STATUS = {'api.internal.app_error': 500, 'api.context.404.app_error': 404};

/** What nobody meets in the page, and why. */
const NOT_MET = {
    'api.command.execute_command.not_found.app_error': '`app/commands.ts` names the command',
    'api.post.create_post.command.app_error': 'what begins with `/` is carried out, and the editor takes none',
    'api.user.import.invalid_list.app_error': '`listMistakes` shows the lines',
    'api.context.invalid_body_param.app_error': 'in a search, which says it itself (`isInvalid`); else of other programs',
    'api.context.invalid_url_param.app_error': 'of other programs',
    'api.file.upload_file.multipart.app_error': 'the page makes whole forms',
    'api.file.upload_file.no_channel.app_error': 'the channel stands first in its forms',
    'api.file.upload_file.no_file.app_error': 'a form of it has one file',
    'app.upload.upload_data.too_large.app_error': 'it sends no file in pieces',
    'model.upload_session.is_valid.file_size.app_error': 'it sends no file in pieces',
    'api.user.upload_profile_user.parse.app_error': 'it makes whole forms',
    'api.user.upload_profile_user.no_file.app_error': 'a form of it has a picture',
    'api.user.upload_profile_user.decode.app_error': 'it draws the picture itself, as PNG of 256 px',
    'api.reaction.save_reaction.invalid.app_error': 'emoji are chosen from a list',
    'api.channel.update_channel.tried.app_error': 'it changes the name that is shown only',
    'api.team.add_members.too_many.app_error': 'it adds nobody to teams',
    'api.user.attach_device_id.app_error': 'of apps on phones',
    'model.channel.is_valid.type.app_error': 'public or private, by a box',
    'model.preference.is_valid.app_error': 'it sends one of its own',
    'model.user.is_valid.locale.app_error': 'languages are chosen from a list',
    'model.post.is_valid.msg.app_error': 'an empty message cannot be sent or saved',
    'model.post.is_valid.props.app_error': 'it sends none',
    'api.web_socket.connect.upgrade.app_error': 'its connection is a WebSocket',
    'api.web_socket_router.no_action.app_error': 'replies of the connection are for programs',
    'api.web_socket_router.bad_seq.app_error': 'replies of the connection are for programs',
    'api.web_socket_router.bad_action.app_error': 'replies of the connection are for programs',
};

const told = (id, status = BROKEN_RULE) => describe(new ServerRefusal(status, id, 'Words of the server.'));

beforeAll(() => {
    learn(later);
    learnRefusals(LATER_REFUSALS);
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
});

test('the sources still write ids where they are looked for', () => {
    expect(ids.length).toBeGreaterThan(55);
});

test('the page knows only ids that the server writes', () => {
    expect(Object.keys(table).filter((id) => !ids.includes(id))).toEqual([]);
    expect(Object.keys(REFUSALS).filter((id) => id in LATER_REFUSALS)).toEqual([]);
});

test('every id that people meet has words, and the list of the others has none too many', () => {
    const general = told('');
    const silent = ids.filter((id) => told(id, BY_STATUS[id]) === general);
    expect(silent).toEqual(Object.keys(NOT_MET).sort());
    expect(Object.keys(BY_STATUS).filter((id) => !ids.includes(id))).toEqual([]);
});

test.each(LANGUAGES.map(({tag}) => tag))('a refusal is told in %s, and never in the words of the server', async (tag) => {
    const all = () => [...Object.keys(table).map((id) => told(id)), ...[400, 401, 403, 404, 413, 429, 500].map((status) => told('', status))];
    const english = all();
    speak(tag, {...await messagesOf(tag), ...(tag === 'en' ? {} : await laterMessagesOf(tag))});
    expect(all().filter((words) => words === '' || words.includes('of the server.') || (tag !== 'en' && english.includes(words)))).toEqual([]);
    speak('en', await messagesOf('en'));
});

test('what came from nowhere is told as that: nobody answers, or something is wrong', () => {
    expect(describe(new TypeError('failed to fetch'))).toBe('The server does not answer. Check your connection and try again.');
    expect([describe(new Error('boom')), describe('boom')]).toEqual([told(''), told('')]);
});
