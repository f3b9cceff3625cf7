import type {Plugin} from 'vite';
import {defineConfig} from 'vitest/config';
import late from './src/words/en-later.json';

// The server that `npm run dev` passes API calls to; the built client talks to its own origin only.
const devServer = 'http://127.0.0.1:8065';

/** What the first screen does without: the dialogs, and what only they use. */
const LATER = /\/src\/(words\/(en-later|ar|de|es|fr|pt-BR)\.json|app\/(admin|player|profile)\.ts|state\/(csv|transcript)\.ts|ui\/(dialogs|admin\/\w+|AddDialog|ChannelDialog|ProfileDialog|PeoplePicker|Questions|Tabs|Lobby|PostEditor|Recording|Transcript|call\/(DevicePicker|KeyList|SidePanel))\.tsx?)/;

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
        // One script for all that a call needs, and one style sheet: it survives a server restart. A
        // language and the dialogs come in files of their own, once at the start (`words`, `ui/Later`).
        cssCodeSplit: false,
        rolldownOptions: {output: {advancedChunks: {groups: [{name: 'page', test: (id) => !LATER.test(id)}]}}},
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
