import {defineConfig} from 'vitest/config';

// The server that `npm run dev` passes API calls to; the built client talks to its own origin only.
const devServer = 'http://127.0.0.1:8065';

/** What the first screen does without: the dialogs, and what only they use. */
const LATER = /\/src\/(words\/(en-later|ar|de|es|fr|pt-BR)\.json|app\/(admin|player|profile)\.ts|state\/(csv|transcript)\.ts|ui\/(dialogs|admin\/\w+|AddDialog|ChannelDialog|ProfileDialog|PeoplePicker|Questions|Tabs|Lobby|PostEditor|Recording|Transcript|call\/(DevicePicker|KeyList|SidePanel))\.tsx?)/;

export default defineConfig({
    base: '/',
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
