/**
 * Reads code by the grammars of highlight.js into pieces that each have one colour.
 *
 * In: the text of a block and the id of a language of `codelanguages.ts`. Out: pieces, which put together
 * are the text; null where the library gave up. No HTML: the library's own output is never asked for.
 * Invariant: only the worker `app/codereader.ts` runs it. It is large, and some texts take it minutes.
 */
import hljs from 'highlight.js/lib/core';
import bash from 'highlight.js/lib/languages/bash';
import c from 'highlight.js/lib/languages/c';
import cpp from 'highlight.js/lib/languages/cpp';
import csharp from 'highlight.js/lib/languages/csharp';
import css from 'highlight.js/lib/languages/css';
import diff from 'highlight.js/lib/languages/diff';
import dockerfile from 'highlight.js/lib/languages/dockerfile';
import go from 'highlight.js/lib/languages/go';
import ini from 'highlight.js/lib/languages/ini';
import java from 'highlight.js/lib/languages/java';
import javascript from 'highlight.js/lib/languages/javascript';
import json from 'highlight.js/lib/languages/json';
import kotlin from 'highlight.js/lib/languages/kotlin';
import markdown from 'highlight.js/lib/languages/markdown';
import php from 'highlight.js/lib/languages/php';
import powershell from 'highlight.js/lib/languages/powershell';
import python from 'highlight.js/lib/languages/python';
import ruby from 'highlight.js/lib/languages/ruby';
import rust from 'highlight.js/lib/languages/rust';
import shell from 'highlight.js/lib/languages/shell';
import sql from 'highlight.js/lib/languages/sql';
import swift from 'highlight.js/lib/languages/swift';
import typescript from 'highlight.js/lib/languages/typescript';
import xml from 'highlight.js/lib/languages/xml';
import yaml from 'highlight.js/lib/languages/yaml';

/** What a piece is; `styles/code.css` says how it looks. */
export type Colour = 'plain' | 'comment' | 'keyword' | 'string' | 'number' | 'definition' | 'type' | 'name' | 'meta' | 'added' | 'removed';

export interface CodePiece {
    text: string;
    colour: Colour;
}

const GRAMMARS = {
    bash, c, cpp, csharp, css, diff, dockerfile, go, ini, java, javascript, json, kotlin, markdown, php, powershell,
    python, ruby, rust, shell, sql, swift, typescript, xml, yaml,
};

/** The scopes of the grammars by their colour. One that is not here has the colour of what it stands in. */
const SCOPES: Readonly<Record<Colour, string>> = {
    plain: 'subst formula code',
    comment: 'comment quote',
    keyword: 'keyword doctag selector-tag template-tag',
    string: 'string regexp link',
    number: 'number literal symbol bullet',
    definition: 'title section selector-id selector-class selector-pseudo selector-attr',
    type: 'type built_in class',
    name: 'name attr attribute property variable template-variable',
    meta: 'meta',
    added: 'addition',
    removed: 'deletion',
};
const colours = new Map(Object.entries(SCOPES).flatMap(([colour, scopes]) => scopes.split(' ').map((scope): [string, Colour] => [scope, colour as Colour])));

/**
 * What the library tells while it reads, as a flat list. A tree of elements, as deep as somebody nests brackets,
 * could be too deep for the browser.
 */
class Pieces {
    readonly list: CodePiece[] = [];
    readonly #open: Colour[] = ['plain'];

    addText(text: string): void {
        this.#add({text, colour: this.#open.at(-1) ?? 'plain'});
    }

    /** `title.function` is a kind of `title`. */
    openNode(scope: string): void {
        this.#open.push(colours.get(scope.split('.')[0] ?? '') ?? this.#open.at(-1) ?? 'plain');
    }

    closeNode(): void {
        this.#open.pop();
    }

    startScope(scope: string): void {
        this.openNode(scope);
    }

    endScope(): void {
        this.closeNode();
    }

    __addSublanguage(inner: unknown): void {
        (inner as Pieces).list.forEach((piece) => this.#add(piece));
    }

    finalize(): void {
        this.#open.length = 1;
    }

    toHTML(): string {
        return '';
    }

    #add({text, colour}: CodePiece): void {
        const last = this.list.at(-1);
        if (last?.colour === colour) {
            this.list[this.list.length - 1] = {text: last.text + text, colour};
        } else if (text !== '') {
            this.list.push({text, colour});
        }
    }
}

hljs.configure({__emitter: Pieces});
Object.entries(GRAMMARS).forEach(([id, grammar]) => hljs.registerLanguage(id, grammar));

export function read(code: string, language: string): readonly CodePiece[] | null {
    const {_emitter: pieces, errorRaised} = hljs.highlight(code, {language, ignoreIllegals: true});
    return errorRaised ? null : (pieces as unknown as Pieces).list;
}
