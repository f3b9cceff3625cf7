/**
 * What an administrator is told of a server that is not ready: its texts, which are for programs and in English, in
 * words of the page. Pure.
 */
import {say, type Key} from '../words/words';
import {reasonWords} from './reasons';

/** The first that fits; `host` is the media server's address. */
const TROUBLES: readonly (readonly [RegExp, Key])[] = [
    [/no media host is known/, 'admin_trouble_no_media'],
    [/media host (?<host>.+?): takes no new calls/, 'admin_trouble_media_full'],
    [/media host (?<host>.+?): ./, 'admin_trouble_media'],
    [/task `[^`]*` |the connections to media hosts/, 'admin_trouble_task'],
    [/no (space|room) is left|no space left|disk is (nearly )?full|database or disk is full/i, 'admin_trouble_room'],
    [/the place for files|`[^`]*` in ./, 'admin_trouble_files'],
    [/database|shows the health/, 'admin_trouble_database'],
    [/^no job service is configured/, 'admin_jobs_unset'],
    [/^the job service does not tell/, 'admin_jobs_silent'],
];

/** Empty for a text that is not known. */
export function troubleWords(trouble: string): string {
    for (const [known, key] of TROUBLES) {
        const found = known.exec(trouble);
        if (found) {
            return say(key, {host: found.groups?.['host'] ?? ''});
        }
    }
    return reasonWords(trouble);
}
