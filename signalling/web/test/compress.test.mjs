import {execFileSync} from 'node:child_process';
import {copyFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync, mkdirSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {brotliDecompressSync, gunzipSync} from 'node:zlib';
import {afterEach, beforeEach, expect, test} from 'vitest';
import {compress} from '../compress.mjs';
import {scripts} from '../package.json';

let folder;
beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'compress-'));
});
afterEach(() => rmSync(folder, {recursive: true}));

test('every text gets two copies that unpack to it, in folders, too', () => {
    mkdirSync(join(folder, 'assets'));
    const script = 'let words = "again and again";\n'.repeat(200);
    writeFileSync(join(folder, 'assets', 'index-AbC.js'), script);
    const [size] = compress(folder);
    expect(readdirSync(join(folder, 'assets')).sort()).toEqual(['index-AbC.js', 'index-AbC.js.br', 'index-AbC.js.gz']);
    expect(brotliDecompressSync(readFileSync(join(folder, 'assets', 'index-AbC.js.br'))).toString()).toBe(script);
    expect(gunzipSync(readFileSync(join(folder, 'assets', 'index-AbC.js.gz'))).toString()).toBe(script);
    expect(size.br).toBeLessThan(size.plain / 10);
});

test('what is small or packed already has no copies, and old copies go', () => {
    writeFileSync(join(folder, 'small.js'), 'let a = 1;');
    writeFileSync(join(folder, 'picture.png'), Buffer.alloc(5000));
    writeFileSync(join(folder, 'gone.js.br'), 'of a former build');
    expect(compress(folder)).toEqual([]);
    expect(readdirSync(folder).sort()).toEqual(['picture.png', 'small.js']);
});

test('the build of the page ends by making the copies', () => {
    const steps = scripts.build.split('&&').map((step) => step.trim());
    expect([steps.indexOf('vite build') >= 0, steps.at(-1)]).toEqual([true, 'node compress.mjs']);
    // As the build calls it: beside a `dist`.
    copyFileSync(new URL('../compress.mjs', import.meta.url), join(folder, 'compress.mjs'));
    mkdirSync(join(folder, 'dist', 'assets'), {recursive: true});
    writeFileSync(join(folder, 'dist', 'index.html'), '<p>again and again</p>\n'.repeat(200));
    writeFileSync(join(folder, 'dist', 'assets', 'page-AbC.js'), 'let words = "again and again";\n'.repeat(200));
    const said = execFileSync(process.execPath, ['compress.mjs'], {cwd: folder, encoding: 'utf8'});
    expect(readdirSync(join(folder, 'dist', 'assets')).sort()).toEqual(['page-AbC.js', 'page-AbC.js.br', 'page-AbC.js.gz']);
    expect(readdirSync(join(folder, 'dist')).sort()).toEqual(['assets', 'index.html', 'index.html.br', 'index.html.gz']);
    expect(said).toMatch(/^assets\/page-AbC\.js: \d+ bytes, br \d+, gz \d+$/m);
});
