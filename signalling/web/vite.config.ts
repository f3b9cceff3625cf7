import type {Plugin} from 'vite';
import {defineConfig} from 'vitest/config';
import late from './src/words/en-later.json';

// The server that `npm run dev` passes API calls to; the built client talks to its own origin only.
const devServer = 'http://127.0.0.1:8065';

/** What the first screen does without: the own call, the dialogs, and what only they use. */
const LATER = /node_modules\/(fflate|marked|@msgpack)\/|\/src\/(styles\/code\.css|words\/(en-later|ar|de|es|fr|pt-BR)\.json|api\/laterrefusals\.ts|app\/(admin|codecolours|commands|invites|move|player|profile|search)\.ts|peer\/(client|codec|connection|lock|media|quality|socket|tracks|voice)\.ts|state\/(codelanguages|csv|nodes|transcript|troublewords)\.ts|ui\/(dialogs|admin\/\w+|AddDialog|ChannelDialog|CodeBlock|InviteDialog|ProfileDialog|ReactionPicker|SearchDialog|PeoplePicker|Questions|RingingCard|Tabs|Lobby|PostEditor|Recording|Transcript|call\/(CallBar|CallStage|Captions|Controls|CopyLink|DevicePicker|Elsewhere|KeyList|Notes|Participants|PeopleButton|PersonMenu|Reactions|ScreenView|ShareOptions|SidePanel|StageNotices|Status|WholeName|fullscreen|near|person|shortcuts|zooming))\.tsx?)/;

/** A language in the two parts that English has: `?first` with the page, `?later` with the dialogs. */
const languageParts: Plugin = {
    name: 'language-parts',
    enforce: 'pre',
    transform: {
        filter: {id: /\.json\?(first|later)$/},
        handler(code, id) {
            const isLate = (key: string): boolean => key in late || key.replace(/_(zero|one|two|few|many)$/, '_other') in late;
            const words = Object.entries(JSON.parse(code) as Record<string, string>);
            const part = words.filter(([key]) => isLate(key) === id.endsWith('later'));
            return {code: `export default ${JSON.stringify(Object.fromEntries(part))}`, moduleType: 'js', map: null};
        },
    },
};

export default defineConfig({
    base: '/',
    plugins: [languageParts],
    build: {
        target: 'es2022',
        // One script for what the first screen needs, and one style sheet. A language, the connection of
        // calls and the dialogs come in files of their own, once at the start (`words`, `app/call`,
        // `ui/Later`): by the time they are needed they are there, also when the server is away then.
        cssCodeSplit: false,
        rolldownOptions: {output: {advancedChunks: {groups: [{name: 'page', test: (id) => !LATER.test(id)}]}}},
        // All browsers that know `light-dark()` preload modules.
        modulePreload: {polyfill: false},
        assetsInlineLimit: 8192,
        chunkSizeWarningLimit: 600,
        // `light-dark()` is written out as it is.
        cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    },
    server: {
        proxy: {
            '/api': {target: devServer, ws: true},
            '/plugins': {target: devServer},
        },
    },
    test: {
        environment: 'node',
        include: ['test/**/*.test.{ts,tsx,mjs}'],
    },
});
