/**
 * Writes `<file>.br` and `<file>.gz` beside every text of `dist`, for a server that sends them as they are.
 *
 * In: the built folder. Out: copies only where they are smaller; what a former build left goes.
 * Not here: which of them is sent (`Accept-Encoding`), that is the server's.
 */
import {existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {extname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {brotliCompressSync, constants, gzipSync} from 'node:zlib';

const TEXTS = new Set(['.html', '.js', '.css', '.json', '.svg', '.txt', '.webmanifest', '.map']);
/** Smaller files gain nothing: they fit into one packet. */
const MIN_BYTES = 1024;

/** The copies of one file's bytes by the ending of their names; none where a copy is no smaller. */
export function copiesOf(bytes) {
    const brotli = brotliCompressSync(bytes, {params: {
        [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
        [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    }});
    // Less memory begins new tables sooner, which fits some files better.
    const gzips = [6, 7, 8].map((memLevel) => gzipSync(bytes, {level: 9, memLevel}));
    const gzip = gzips.reduce((least, one) => (one.length < least.length ? one : least));
    const copies = {'.br': brotli, '.gz': gzip};
    return Object.fromEntries(Object.entries(copies).filter(([, copy]) => copy.length < bytes.length));
}

/** Writes the copies of a folder; returns what the files weigh, plain and compressed. */
export function compress(folder) {
    const sizes = [];
    for (const name of readdirSync(folder).sort()) {
        const path = join(folder, name);
        if (statSync(path).isDirectory()) {
            sizes.push(...compress(path));
        } else if (/\.(br|gz)$/.test(name)) {
            rmSync(path);
        }
    }
    for (const name of readdirSync(folder).sort()) {
        const path = join(folder, name);
        if (!TEXTS.has(extname(name)) || statSync(path).size < MIN_BYTES) {
            continue;
        }
        const bytes = readFileSync(path);
        const copies = copiesOf(bytes);
        Object.entries(copies).forEach(([ending, copy]) => writeFileSync(path + ending, copy));
        sizes.push({path, plain: bytes.length, br: copies['.br']?.length ?? bytes.length, gz: copies['.gz']?.length ?? bytes.length});
    }
    return sizes;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const dist = fileURLToPath(new URL('dist', import.meta.url));
    if (!existsSync(dist)) {
        throw new Error('no `dist`: run `vite build` first');
    }
    for (const {path, plain, br, gz} of compress(dist)) {
        console.log(`${path.slice(dist.length + 1)}: ${plain} bytes, br ${br}, gz ${gz}`);
    }
}
