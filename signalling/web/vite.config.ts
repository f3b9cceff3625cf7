import {defineConfig} from 'vitest/config';

// The server that `npm run dev` passes API calls to; the built client talks to its own origin only.
const devServer = 'http://127.0.0.1:8065';

/** What the first screen does without: the own call, the dialogs, and what only they use. */
const LATER = /node_modules\/(fflate|marked|@msgpack)\/|\/src\/(words\/(ar|de|es|fr|pt-BR)\.json|app\/(admin|commands|invites|player|profile|search)\.ts|peer\/(client|codec|connection|lock|media|quality|socket|tracks|voice)\.ts|state\/(csv|transcript)\.ts|ui\/(dialogs|admin\/\w+|AddDialog|ChannelDialog|InviteDialog|ProfileDialog|ReactionPicker|SearchDialog|PeoplePicker|Questions|Tabs|Lobby|PostEditor|Recording|Transcript|call\/(CallBar|CallStage|Captions|Controls|CopyLink|DevicePicker|KeyList|Notes|Participants|PeopleButton|PersonMenu|Reactions|ScreenView|ShareOptions|SidePanel|StageNotices|Status|fullscreen|person|shortcuts|zooming))\.tsx?)/;

export default defineConfig({
    base: '/',
    build: {
        target: 'es2022',
        // One script for what the first screen needs, and one style sheet. A language, the connection of
        // calls and the dialogs come in files of their own, once at the start (`words`, `app/call`,
        // `ui/Later`): by the time they are needed they are there, also when the server is away then.
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
