/**
 * The languages whose code is coloured, and the names that people write for them after ```.
 *
 * In: what stands there. Out: the language, null for one that is not known. Their grammars are in `grammars.ts`.
 */

export interface CodeLanguage {
    /** As highlight.js calls it. */
    id: string;
    /** As people call it. */
    name: string;
}

/** Each with its id, its name, and what else it is called; where two are called the same, the later one is meant. */
const LANGUAGES: readonly (readonly [id: string, name: string, aliases: string])[] = [
    ['shell', 'Shell session', 'console shellsession'], // with prompts; ```shell is written before mere commands
    ['bash', 'Bash', 'sh shell zsh'],
    ['c', 'C', 'h'],
    ['cpp', 'C++', 'c++ cc cxx h++ hh hpp hxx'],
    ['csharp', 'C#', 'c# cs'],
    ['css', 'CSS', ''],
    ['diff', 'Diff', 'patch udiff'],
    ['dockerfile', 'Dockerfile', 'docker'],
    ['go', 'Go', 'golang'],
    ['ini', 'TOML, INI', 'toml conf properties'],
    ['java', 'Java', ''],
    ['javascript', 'JavaScript', 'js cjs jsx mjs node'],
    ['json', 'JSON', 'json5 jsonc'],
    ['kotlin', 'Kotlin', 'kt kts'],
    ['markdown', 'Markdown', 'md mkd mkdown'],
    ['php', 'PHP', ''],
    ['powershell', 'PowerShell', 'ps ps1 pwsh'],
    ['python', 'Python', 'py py3 python3 gyp'],
    ['ruby', 'Ruby', 'rb gemspec podspec irb'],
    ['rust', 'Rust', 'rs'],
    ['sql', 'SQL', 'mysql pgsql postgres postgresql'],
    ['swift', 'Swift', ''],
    ['typescript', 'TypeScript', 'ts cts mts tsx'],
    ['xml', 'HTML, XML', 'html xhtml atom plist rss svg xsd xsl'],
    ['yaml', 'YAML', 'yml'],
];

const byName = new Map(LANGUAGES.flatMap(([id, name, aliases]) =>
    [id, ...aliases.split(' ')].map((alias): [string, CodeLanguage] => [alias, {id, name}])));
byName.delete('');

/** The language of a block by what stands after its fence: the first word of it, in whichever case. */
export function languageOf(info: string): CodeLanguage | null {
    const [word = ''] = info.trim().toLowerCase().split(/[\s,{]/);
    return byName.get(word.replace(/^\./, '')) ?? null;
}

/** Every id that there must be a grammar for. */
export const LANGUAGE_IDS: readonly string[] = LANGUAGES.map(([id]) => id);
