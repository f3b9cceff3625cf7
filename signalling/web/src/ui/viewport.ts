/**
 * How much of the page can be seen: without the keyboard of a phone, and whatever the text is enlarged to.
 *
 * Out: the height as `--app-height` for the style sheets, and whether it is narrow or short.
 * Invariant: pinching changes nothing, it only looks closer.
 */
import {useSyncExternalStore} from 'react';

/** CSS px, as in the style sheets. */
const NARROW = 720;
const SHORT = 480;

interface Seen {
    narrow: boolean;
    short: boolean;
}

let seen: Seen = {narrow: false, short: false};
const watchers = new Set<() => void>();

/** From now on; the page calls it once. */
export function watchViewport(): void {
    window.visualViewport?.addEventListener('resize', measure);
    window.visualViewport?.addEventListener('scroll', measure);
    window.addEventListener('resize', measure);
    measure();
}

export function useViewport(): Seen {
    return useSyncExternalStore((watcher) => {
        watchers.add(watcher);
        return () => watchers.delete(watcher);
    }, () => seen);
}

function measure(): void {
    const view = window.visualViewport;
    const height = Math.round(view ? view.height * view.scale : window.innerHeight);
    const top = view && view.scale === 1 ? Math.round(view.offsetTop) : 0;
    const {style} = document.documentElement;
    style.setProperty('--app-height', `${height}px`);
    style.setProperty('--app-top', `${top}px`);
    const next = {narrow: window.matchMedia(`(max-width: ${NARROW}px)`).matches, short: height <= SHORT};
    if (next.narrow !== seen.narrow || next.short !== seen.short) {
        seen = next;
        watchers.forEach((watcher) => watcher());
    }
}
