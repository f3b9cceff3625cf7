/**
 * What of a row of buttons fits on a narrow screen; the rest goes behind *more*. Pure.
 *
 * In: how many places each takes, how wide the row is. Out: how many stand in the row.
 */

/** Narrowest place a finger hits, and what is between two; as the style sheet has them. */
const PLACE_PX = 44;
const GAP_PX = 4;

/** Places in a row of this width. */
export function placesIn(width: number): number {
    return Math.floor((width + GAP_PX) / (PLACE_PX + GAP_PX));
}

/** How many fit, the first one first. */
export function countFitting(sizes: readonly number[], places: number): number {
    let used = 0;
    const over = sizes.findIndex((size) => (used += size) > places);
    return over < 0 ? sizes.length : over;
}
