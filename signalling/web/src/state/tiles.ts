/**
 * How large the tiles of a call are, so that they fill the room they have.
 *
 * In: how many people, how many pixels. Out: the form and size of each tile. Pure.
 * Invariant: no tile is smaller than what a name and a microphone need; when that does not fit, the
 * list scrolls.
 */

/** `tall`: the face above the name; `row`: beside it, for many people in little room. */
export interface TileSize {
    form: 'tall' | 'row';
    width: number;
    height: number;
    /** Diameter of the face. */
    face: number;
}

export const TILE_GAP = 8;
const MIN_TALL = {width: 112, height: 104};
const MIN_ROW = {width: 148, height: 44};
const MAX_TILE = {width: 560, height: 420};
/** A tile wider than this multiple of its height is mostly void. */
const MAX_ASPECT = 1.6;
/** Likewise one higher than this multiple of its width, and there a name has less room. */
const MAX_UPRIGHT = 1.3;
/** What name, role and paddings take below and around the face of a tall tile. */
const TALL_TEXT = 64;

export function tileSize(count: number, width: number, height: number): TileSize {
    const tall = largest(count, width, height, MIN_TALL);
    if (tall) {
        const face = Math.max(36, Math.min(tall.height - TALL_TEXT, tall.width * 0.5, 180));
        return {form: 'tall', ...tall, face: Math.floor(face)};
    }
    const row = largest(count, width, height, MIN_ROW);
    if (row) {
        return {form: 'row', width: row.width, height: Math.min(row.height, 64), face: Math.floor(Math.min(row.height - 12, 44))};
    }
    const columns = columnsOf(width, MIN_ROW.width);
    return {form: 'row', width: Math.floor((width - TILE_GAP * (columns - 1)) / columns), height: MIN_ROW.height, face: 32};
}

/** The height that `count` people ask for where the messages want room too. */
export function wantedHeight(count: number, width: number): number {
    const columns = columnsOf(width, MIN_TALL.width);
    if (count <= columns * 2) {
        return Math.ceil(count / columns) * (140 + TILE_GAP);
    }
    const rows = Math.ceil(count / columnsOf(width, MIN_ROW.width));
    return Math.max(2 * (MIN_TALL.height + TILE_GAP), rows * (MIN_ROW.height + TILE_GAP));
}

/** The largest tiles of which all fit; null when even the smallest do not. */
function largest(count: number, width: number, height: number, min: {width: number; height: number}): {width: number; height: number} | null {
    let best: {width: number; height: number} | null = null;
    for (let columns = 1; columns <= Math.max(1, count); columns++) {
        const rows = Math.ceil(count / columns);
        const cell = {
            width: Math.min(MAX_TILE.width, Math.floor((width - TILE_GAP * (columns - 1)) / columns)),
            height: Math.min(MAX_TILE.height, Math.floor((height - TILE_GAP * (rows - 1)) / rows)),
        };
        if (cell.width < min.width || cell.height < min.height) {
            continue;
        }
        const shaped = min === MIN_TALL
            ? {width: Math.min(cell.width, Math.floor(cell.height * MAX_ASPECT)), height: Math.min(cell.height, Math.floor(cell.width * MAX_UPRIGHT))} : cell;
        if (!best || shaped.width * shaped.height > best.width * best.height) {
            best = shaped;
        }
    }
    return best;
}

function columnsOf(width: number, min: number): number {
    return Math.max(1, Math.floor((width + TILE_GAP) / (min + TILE_GAP)));
}
