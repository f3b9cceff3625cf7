import {readFileSync} from 'node:fs';

import {expect, test} from 'vitest';

import {notices, section, shipped} from '../notices.mjs';

const manifest = JSON.parse(readFileSync('package.json', 'utf8'));

test('every package that is asked for at run time has its licence in the notices', () => {
    const text = notices('.');
    for (const [name, version] of Object.entries(manifest.dependencies)) {
        expect(text).toContain(`${name} ${version} (`);
    }
    // What React brings along ships, too; what only builds does not.
    expect(text).toMatch(/^scheduler \d/m);
    expect(text).not.toMatch(/^(vite|vitest|typescript|rolldown) \d/m);
    expect(text).toContain('Permission is hereby granted');
});

test('the lock file holds every optional package, for npm 9 and for npm 11', () => {
    const {packages} = JSON.parse(readFileSync('package-lock.json', 'utf8'));
    const held = Object.keys(packages).map((folder) => folder.split('node_modules/').at(-1));
    for (const [folder, entry] of Object.entries(packages)) {
        expect(folder === '' || entry.integrity, folder).toBeTruthy();
        for (const name of Object.keys(entry.optionalDependencies ?? {})) {
            expect(held, `${folder} asks for ${name}`).toContain(name);
        }
    }
});

test('a package without a licence stops the build', () => {
    expect(() => section({name: 'a', version: '1'}, undefined)).toThrow('a 1 comes without a licence');
    expect(() => section({name: 'a', version: '1', license: 'UNKNOWN'}, undefined)).toThrow('UNKNOWN');
    expect(section({name: 'a', version: '1', license: 'ISC'}, 'as is')).toContain('as is');
});

test('what is for development, and what is optional, does not ship', () => {
    const packages = {'': {}, 'node_modules/a': {}, 'node_modules/b': {dev: true}, 'node_modules/c': {optional: true}};
    expect(shipped({packages})).toEqual(['node_modules/a']);
});
