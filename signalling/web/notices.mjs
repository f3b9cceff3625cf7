/**
 * Writes `dist/NOTICE.txt`: the packages whose code may be in the bundle, each with its licence.
 *
 * In: `package-lock.json` (all that is neither for development nor optional) and `node_modules`.
 * Out: a text; a package without a licence stops the build.
 */
import {existsSync, readFileSync, readdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

/** For packages that name the licence and leave its text out. */
const TEXTS = {
    MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or
substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
};

/** Folders, relative to `root`, of everything that ships. */
export function shipped(lock) {
    return Object.entries(lock.packages)
        .filter(([folder, entry]) => folder !== '' && !entry.dev && !entry.optional && !entry.devOptional && !entry.peer)
        .map(([folder]) => folder)
        .sort();
}

/** One package's section; throws when nobody says under which licence it comes. */
export function section(manifest, text) {
    const {name, version, license} = manifest;
    const terms = text ?? TEXTS[license];
    if (!license || !terms) {
        throw new Error(`${name} ${version} comes without a licence that may be passed on: \`${license}\``);
    }
    return `${name} ${version} (${license})\n\n${terms.trim()}\n`;
}

function licenceFile(folder) {
    const name = readdirSync(folder).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
    return name === undefined ? undefined : readFileSync(join(folder, name), 'utf8');
}

/** The whole text. */
export function notices(root) {
    const read = (path) => JSON.parse(readFileSync(join(root, path), 'utf8'));
    const sections = shipped(read('package-lock.json')).map((folder) =>
        section(read(join(folder, 'package.json')), licenceFile(join(root, folder))),
    );
    const rule = `\n${'-'.repeat(80)}\n\n`;
    return [`Parley's browser client contains code of these packages.\n`, ...sections].join(rule);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    if (!existsSync(join(here, 'dist'))) {
        throw new Error('no `dist`: run `vite build` first');
    }
    writeFileSync(join(here, 'dist', 'NOTICE.txt'), notices(here));
}
