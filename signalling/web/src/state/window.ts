/**
 * Which part of a long list stands on the screen: so that ten thousand messages cost what a few do.
 *
 * In: how many there are, where the person is. Out: the next part. Pure.
 * Invariant: a part is never longer than `LIMIT`, and one that ends at the end follows the newest.
 */

/** Messages on the screen at once. */
export const LIMIT = 240;
/** How many come in at an edge: as many as a frame can take beside the turning of a wheel. */
export const STEP = 20;
/** How many stand on either side of the message to begin at. */
const SIDE = 60;

export interface Window {
    /** Messages from the end that are left out after the part; 0 follows the newest. */
    after: number;
    size: number;
}

export const newest: Window = {after: 0, size: SIDE * 2};

/** The part with the message of this place in its middle; the newest when there is none (-1). */
export function around(length: number, index: number): Window {
    return index < 0 ? newest : {after: Math.max(0, length - index - SIDE), size: SIDE * 2};
}

export function rangeOf({after, size}: Window, length: number): [from: number, to: number] {
    const to = Math.max(0, length - after);
    return [Math.max(0, to - size), to];
}

/** Whether there are loaded messages before the part. */
export function hasEarlier(window: Window, length: number): boolean {
    return rangeOf(window, length)[0] > 0;
}

/** The part with what stands before it, as far as that is loaded. What leaves at the end makes room for it. */
export function earlier(window: Window, length: number): Window {
    const [from, to] = rangeOf(window, length);
    const first = Math.max(0, from - STEP);
    const last = Math.min(to, first + LIMIT);
    return {after: length - last, size: Math.max(Math.min(window.size, LIMIT), last - first)};
}

export function later({after, size}: Window): Window {
    const step = Math.min(STEP, after);
    return {after: after - step, size: Math.min(LIMIT, size + step)};
}

/** New messages came at the end: who reads older ones keeps them where they are. */
export function grown(window: Window, added: number): Window {
    return window.after > 0 ? {...window, after: Math.max(0, window.after + added)} : window;
}
