/** What the sources say to a person, they say by a key; and what has a key is said somewhere. */
import {readFileSync, readdirSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseSync, Visitor} from 'vite';
import {expect, test} from 'vitest';

const SRC = fileURLToPath(new URL('../src', import.meta.url));
/** Comes together with `en-later.json`. */
const DIALOGS = join(SRC, 'ui/dialogs');

/** Attributes, properties and setters whose text is read or heard. */
const SPOKEN = /^(aria-(label|description|valuetext|roledescription)|title|placeholder|alt|label|caption|hint|text|body|fault|refusal|announce|setRefusal|setTrouble)$/;
/** No words of a language: the name of the product, a value for the browser. */
const NO_WORDS = ['Parley', 'detail'];
/** Elements whose text is typed as it stands: a file's columns, the filters of a search. */
const AS_TYPED = ['code', 'kbd'];

const read = (path) => JSON.parse(readFileSync(join(SRC, 'words', path), 'utf8'));
const later = Object.keys(read('en-later.json'));
const keys = [...Object.keys(read('en.json')), ...later];

const sources = readdirSync(SRC, {recursive: true, withFileTypes: true})
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        const source = readFileSync(path, 'utf8');
        return {path, name: relative(SRC, path), source, ...parseSync(path, source)};
    });

/** The texts that an expression may come to: of a choice both, of a call none. */
function textsOf(node) {
    switch (node?.type) {
    case 'Literal':
        return typeof node.value === 'string' ? [node.value] : [];
    case 'JSXText':
        return [node.value];
    case 'TemplateLiteral':
        return [...node.quasis.map(({value}) => value.cooked), ...node.expressions.flatMap(textsOf)];
    case 'ConditionalExpression':
        return [node.consequent, node.alternate].flatMap(textsOf);
    case 'LogicalExpression':
    case 'BinaryExpression':
        return /^[=!<>]/.test(node.operator) ? [] : [node.left, node.right].flatMap(textsOf);
    case 'JSXExpressionContainer':
    case 'TSAsExpression':
    case 'ParenthesizedExpression':
        return textsOf(node.expression);
    default:
        return [];
    }
}

/** `file:line: text` of every text in the sources that a person would get without a key. */
function unsaid({name, source, program}) {
    const found = [];
    const check = (...nodes) => nodes.forEach((node) => textsOf(node)
        .filter((text) => /\p{L}/u.test(text) && !NO_WORDS.includes(text.trim()) && !keys.includes(text))
        .forEach((text) => found.push(`${name}:${source.slice(0, node.start).split('\n').length}: ${text.trim()}`)));
    new Visitor({
        JSXElement: ({openingElement: {name}, children}) => !AS_TYPED.includes(name.name) && check(...children),
        JSXFragment: ({children}) => check(...children),
        JSXAttribute: (node) => SPOKEN.test(node.name.name) && check(node.value),
        Property: (node) => SPOKEN.test(node.key.name) && check(node.value),
        CallExpression: (node) => SPOKEN.test(node.callee.name) && check(...node.arguments),
        AssignmentExpression: (node) => SPOKEN.test(node.left.property?.name) && check(node.right),
        NewExpression: (node) => node.callee.name === 'Notification' && check(...node.arguments),
    }).visit(program);
    return found;
}

/** The keys that a file names, those of plurals without their form. */
function saidIn({program}) {
    const texts = new Set();
    new Visitor({Literal: ({value}) => texts.add(value)}).visit(program);
    return keys.filter((key) => texts.has(key) || texts.has(key.replace(/_(one|other)$/, '')));
}

/** What may speak before the dialogs are there: what `main.tsx` imports, now or later, and so on. */
function firstScreen() {
    const reached = new Set([join(SRC, 'main.tsx')]);
    for (const path of reached) {
        const {module, source} = sources.find((one) => one.path === path);
        const targets = [
            ...module.staticImports.filter(({entries}) => !(entries.length > 0 && entries.every(({isType}) => isType))).map(({moduleRequest}) => moduleRequest.value),
            ...module.dynamicImports.map(({moduleRequest: {start, end}}) => source.slice(start + 1, end - 1)),
        ];
        for (const target of targets.map((name) => join(dirname(path), name)).filter((name) => name !== DIALOGS)) {
            const found = sources.find((one) => [`${target}.ts`, `${target}.tsx`].includes(one.path));
            if (found) {
                reached.add(found.path);
            }
        }
    }
    return sources.filter(({path}) => reached.has(path));
}

test('the check sees what it is for', () => {
    const source = `document.title = 'Hi'; patch({fault: why ?? 'Oh'});
        const a = <p title="One" className="no" aria-label={x ? 'Two' : say('key')}><code>typed</code>Three {y && 'Four'} {\`\${n} Five\`}<b>{say('key')}</b> · 6</p>;`;
    const found = unsaid({name: 'a', source, ...parseSync('a.tsx', source)});
    expect(found.sort()).toEqual(['a:1: Hi', 'a:1: Oh', 'a:2: Five', 'a:2: Four', 'a:2: One', 'a:2: Three', 'a:2: Two']);
});

test('every text for people comes from the message files', () => {
    const found = sources.flatMap(unsaid);
    expect(found, found.join('\n')).toEqual([]);
});

test('every key is written out where it is said, so that it is found', () => {
    const built = sources.flatMap(({name, program}) => {
        const found = [];
        new Visitor({
            CallExpression: ({callee, arguments: [key]}) => callee.name === 'say' && /Template|Binary/.test(key?.type) && found.push(name),
        }).visit(program);
        return found;
    });
    expect(built).toEqual([]);
});

test('every key is said', () => {
    const said = new Set(sources.flatMap(saidIn));
    expect(keys.filter((key) => !said.has(key))).toEqual([]);
});

test('the first screen has the words for all that it says', () => {
    expect(firstScreen().length).toBeGreaterThan(50);
    expect(firstScreen().flatMap((one) => saidIn(one).filter((key) => later.includes(key)).map((key) => `${one.name} says \`${key}\`: move it to en.json`))).toEqual([]);
});

/** Declarations that keep left and right when the line goes the other way. */
function sided(css) {
    const found = [];
    for (const [declaration, property, value] of css.replace(/\/\*[^]*?\*\//g, '').matchAll(/([a-z-]+)\s*:\s*([^;{}]+)/g)) {
        const [, end, , start] = value.replace(/\((?:[^()]|\([^()]*\))*\)/g, '()').trim().split(/\s+/);
        const four = /^(inset|margin|padding|border-(width|color|style))$/.test(property) && start !== undefined && start !== end;
        if (four || /(^|-)(left|right)$/.test(property) || (/^(text-align|float|clear)$/.test(property) && /left|right/.test(value))) {
            found.push(declaration.trim());
        }
    }
    return found;
}

test('what has a side follows the line of reading', () => {
    expect(sided('a { inset: 0 1px auto 2px; margin-left: 1px; padding: 0 1px 2px 1px; text-align: right; left: 3px; color: red }'))
        .toEqual(['inset: 0 1px auto 2px', 'margin-left: 1px', 'text-align: right', 'left: 3px']);
    const styles = readdirSync(join(SRC, 'styles'));
    expect(styles.length).toBeGreaterThan(3);
    const found = styles.flatMap((name) => sided(readFileSync(join(SRC, 'styles', name), 'utf8')));
    expect(found, found.join('\n')).toEqual([]);
});
