import {expect, it} from 'vitest';
import {supportsLock} from '../src/peer/version';

it.each([
    [{version: '1.7.0'}, true],
    [{version: '1.12.2', rtcd_version: 'v1.3.0'}, true],
    [{version: 'v1.7.1', rtcd_version: 'master'}, true],
    [{version: 'dev-abc', rtcd_version: 'dev'}, true],
    [{version: '1.6.9'}, false],
    [{version: '1.7.0-rc1'}, false],
    [{version: '1.12.0', rtcd_version: '1.0.9'}, false],
    [{version: '1.12.0', rtcd_version: 'v1.1.0-dev2'}, false],
    [{version: '1.12.0', rtcd_version: '5bedbdc-dirty'}, false],
    [{}, false],
])('judges %j as %s', (versions, expected) => {
    expect(supportsLock(versions)).toBe(expected);
});
