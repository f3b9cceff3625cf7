/** The colours of code can be read, and are none of ours where the person has their own. */
import {readFileSync} from 'node:fs';
import {expect, test} from 'vitest';

const [base, code] = ['base', 'code'].map((name) => readFileSync(`src/styles/${name}.css`, 'utf8'));
/** What WCAG 2 asks of text of this size (1.4.3). */
const ENOUGH = 4.5;

/** Relative luminance of `#rrggbb`. */
function luminance(colour) {
    const [red, green, blue] = [1, 3, 5]
        .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
}

/** Name, colour in light, colour in dark. */
const pairs = (css, pattern) => [...css.matchAll(pattern)].map(([, name, light, dark]) => [name, light, dark]);

const [[, light, dark]] = pairs(base, /(--sunken): light-dark\((#\w{6}), (#\w{6})\)/g);
const own = pairs(code, /\.code-([a-z]+) \{ color: light-dark\((#\w{6}), (#\w{6})\); \}/g);
/** Of the name of the language, and of what has no colour. */
const around = pairs(base, /(--muted|--text): light-dark\((#\w{6}), (#\w{6})\)/g);

test('the measure is that of WCAG', () => {
    expect(contrast('#ffffff', '#000000')).toBeCloseTo(21);
    expect(contrast('#767676', '#ffffff')).toBeCloseTo(4.54, 2);
});

test('every colour of code can be read in light and dark', () => {
    const colours = readFileSync('src/state/grammars.ts', 'utf8').match(/^export type Colour = (.*);$/m)[1].match(/\w+/g);
    expect(own.map(([name]) => name)).toEqual(colours.filter((name) => name !== 'plain'));
    expect(around).toHaveLength(2);
    for (const [name, inLight, inDark] of [...own, ...around]) {
        expect(contrast(inLight, light), `${name} in light`).toBeGreaterThanOrEqual(ENOUGH);
        expect(contrast(inDark, dark), `${name} in dark`).toBeGreaterThanOrEqual(ENOUGH);
    }
});

test('in forced colours there are none of ours', () => {
    const rest = code.replace(/@media \(forced-colors: none\) \{\n(?: .*\n)*\}/, '');
    expect(rest).not.toBe(code);
    expect(rest).not.toMatch(/#\w{6}|light-dark|forced-color-adjust/);
});
