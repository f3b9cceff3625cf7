/** Code in messages: its language, its colours, and that it never becomes anything but text. */
import {renderToStaticMarkup} from 'react-dom/server';
import {afterEach, beforeEach, describe, expect, test, vi} from 'vitest';
import type {Answer, Block} from '../src/app/codereader';
import {LANGUAGE_IDS, languageOf} from '../src/state/codelanguages';
import {read} from '../src/state/grammars';

/** Has the grammars, as the worker has; reads nothing that says `forever`, and is not to be had where `reachable` is false. */
class Reader {
    static made = 0;
    static reachable = true;
    onmessage: (event: {data: Answer}) => void = () => undefined;
    onerror: () => void = () => undefined;
    #ended = false;

    constructor() {
        Reader.made += 1;
        setTimeout(() => (Reader.reachable ? this.onmessage({data: 'there'}) : this.onerror()), 5);
    }

    postMessage({code, language}: Block): void {
        if (!code.includes('forever')) {
            setTimeout(() => !this.#ended && this.onmessage({data: read(code, language)}), 5);
        }
    }

    terminate(): void {
        this.#ended = true;
    }
}

/** Nothing is known yet, as in a page that was just opened. */
async function open(): Promise<typeof import('../src/app/codecolours')> {
    vi.resetModules();
    return import('../src/app/codecolours');
}

type Page = Awaited<ReturnType<typeof open>> & typeof import('../src/ui/CodeBlock');

async function openPage(): Promise<Page> {
    return {...await open(), ...await import('../src/ui/CodeBlock')};
}

beforeEach(() => {
    Reader.made = 0;
    Reader.reachable = true;
    vi.useFakeTimers();
    vi.stubGlobal('Worker', Reader);
});

afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
});

const colours = (code: string, language: string): string[] => (read(code, language) ?? []).filter(({colour}) => colour !== 'plain').map(({text, colour}) => `${colour}: ${text}`);

describe('the language of a block', () => {
    test('is known by the names that people write', () => {
        const known = {sh: 'bash', shell: 'bash', console: 'shell', js: 'javascript', ts: 'typescript', tsx: 'typescript', py: 'python', rs: 'rust', rb: 'ruby', yml: 'yaml', html: 'xml', 'c++': 'cpp', 'c#': 'csharp', cs: 'csharp', toml: 'ini', golang: 'go', kt: 'kotlin', md: 'markdown', ps1: 'powershell', docker: 'dockerfile', patch: 'diff', postgres: 'sql'};
        expect(Object.fromEntries(Object.keys(known).map((name) => [name, languageOf(name)?.id]))).toEqual(known);
        expect(LANGUAGE_IDS.filter((id) => id !== 'shell' && languageOf(id)?.id !== id)).toEqual([]);
    });

    test('is the first word after the fence, in whichever case', () => {
        expect([' JSON ', '.css', 'rust,ignore', 'ts {1,3}', 'go title="a.go"'].map((info) => languageOf(info)?.id)).toEqual(['json', 'css', 'rust', 'typescript', 'go']);
        expect(['', ' ', '{', 'klingon', 'constructor', 'undefined'].map(languageOf)).toEqual([null, null, null, null, null, null]);
    });
});

describe('the grammars', () => {
    test('are there for every language, and leave every letter in its place', () => {
        const code = 'let a = "<b>" // `${1}`\n# x: [1.5, true]\n<p class="q">&amp;</p> {{ }} @at $var\n- - ++ func() { return null; }\n';
        for (const id of LANGUAGE_IDS) {
            expect(read(code, id)?.map(({text}) => text).join(''), id).toBe(code);
        }
    });

    test('tell keywords, strings, numbers and comments apart', () => {
        expect(colours('const a = "b"; // c\nreturn 12;', 'javascript')).toEqual(['keyword: const', 'string: "b"', 'comment: // c', 'keyword: return', 'number: 12']);
        expect(colours('+new\n-old\n', 'diff')).toEqual(['added: +new', 'removed: -old']);
        expect(colours('<style>a { color: red }</style>', 'xml')).toContain('name: style');
        expect(colours('`a ${b} c`', 'javascript')).toEqual(['string: `a ', 'string:  c`']);
    });

    test('make one list of what is nested however deep', () => {
        const code = '`${'.repeat(2000);
        const pieces = read(code, 'javascript') ?? [];
        expect(pieces.map(({text}) => text).join('')).toBe(code);
    });
});

describe('a block', () => {
    test('has its keywords in spans once they are read, and is plain before', async () => {
        const {CodeBlock, coloursOf} = await openPage();
        const code = 'fn main() {}';
        const plain = renderToStaticMarkup(<CodeBlock text={code} info="rs"/>);
        expect(plain).toContain(`<code>${code}</code>`);
        expect(plain).toContain('>Rust</span>');
        expect(plain).toContain('aria-label="Copy code"');
        const read = coloursOf(code, 'rust');
        await vi.runAllTimersAsync();
        await read;
        expect(renderToStaticMarkup(<CodeBlock text={code} info="rs"/>)).toContain('<code><span class="code-keyword">fn</span> <span class="code-definition">main</span>() {}</code>');
    });

    test('of an unknown language is plain, has no name, and asks for nothing', async () => {
        const {CodeBlock, coloursOf} = await openPage();
        const markup = renderToStaticMarkup(<CodeBlock text="const a = 1" info="klingon"/>);
        expect(markup).toContain('<code>const a = 1</code>');
        expect(markup).not.toContain('code-language');
        expect(await coloursOf('const a = 1', '')).toBeNull();
        expect(Reader.made).toBe(0);
    });

    test('of HTML stays text', async () => {
        const {CodeBlock, coloursOf} = await openPage();
        const code = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
        const read = coloursOf(code, 'xml');
        await vi.runAllTimersAsync();
        await read;
        for (const info of ['html', '']) {
            const markup = renderToStaticMarkup(<CodeBlock text={code} info={info}/>);
            expect(markup).not.toMatch(/<(img|script)/);
            expect(markup.replace(/.*<code>|<\/?(span|code|pre)[^>]*>/g, '')).toBe('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&lt;script&gt;alert(2)&lt;/script&gt;');
        }
    });
});

describe('the worker', () => {
    test('reads one block after the other, and each only once', async () => {
        const {coloursOf, knownColours} = await open();
        const all = Promise.all([coloursOf('let a', 'rust'), coloursOf('let b', 'rust'), coloursOf('let a', 'rust')]);
        await vi.runAllTimersAsync();
        const [first, second, again] = await all;
        expect([first?.length, second?.length, again === first, knownColours('let a', 'rust') === first, Reader.made]).toEqual([3, 3, true, true, 1]);
    });

    test('is ended when it takes too long, for good, and what comes after is read by another', async () => {
        const {coloursOf, MAX_MS} = await open();
        const slow = coloursOf('let forever', 'rust');
        const next = coloursOf('let b', 'rust');
        await vi.advanceTimersByTimeAsync(MAX_MS + 50);
        expect(await slow).toBeNull();
        expect(await next).not.toBeNull();
        expect(await coloursOf('let forever', 'rust')).toBeNull();
        expect(Reader.made).toBe(2);
    });

    test('is not given what is very long', async () => {
        const {coloursOf, MAX_CODE_CHARS} = await open();
        expect(await coloursOf('a'.repeat(MAX_CODE_CHARS + 1), 'rust')).toBeNull();
        expect(Reader.made).toBe(0);
    });

    test('that cannot be fetched leaves code plain, and is asked for again', async () => {
        const {coloursOf} = await open();
        Reader.reachable = false;
        const plain = Promise.all([coloursOf('let a', 'rust'), coloursOf('let b', 'rust')]);
        await vi.runAllTimersAsync();
        expect(await plain).toEqual([null, null]);
        Reader.reachable = true;
        const later = coloursOf('let a', 'rust');
        await vi.runAllTimersAsync();
        expect(await later).not.toBeNull();
    });

    test('that the browser does not allow leaves code plain', async () => {
        vi.stubGlobal('Worker', undefined);
        const {coloursOf} = await open();
        expect(await coloursOf('let a', 'rust')).toBeNull();
    });
});
