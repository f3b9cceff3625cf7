/**
 * The focus is never lost: when what had it goes away, it goes where the person most likely goes on.
 *
 * In: every change of the page's state. Out: the focus moved, only if nothing has it.
 */
import {store} from '../state/app';

/** After one of these went, its counterpart comes first. */
const SUCCESSORS: Readonly<Record<string, readonly string[]>> = {
    'start-call': ['mute'],
    'join-call': ['mute'],
    'join-call-post': ['mute'],
    'leave-call': ['start-call', 'join-call'],
    'all-channels': ['channel-current'],
};

const REST_MS = 150;

/** Watches until the returned function is called. */
export function keepFocus(): () => void {
    let last = '';
    let looked = 0;
    let waiting: ReturnType<typeof setTimeout> | 0 = 0;
    let resting: ReturnType<typeof setTimeout> | 0 = 0;
    const focused = (): void => {
        const element = document.activeElement;
        if (element instanceof HTMLElement && element !== document.body) {
            last = element.closest<HTMLElement>('[data-testid]')?.dataset['testid'] ?? '';
        }
    };
    const move = (): void => {
        if (document.hasFocus()) {
            successor(last)?.focus({preventScroll: true});
        }
    };
    // That nothing has the focus is cheap to know, and said at once; that what has it is not seen any more is
    // dear to know, so not for each of many changes in a row.
    const look = (): void => {
        waiting = 0;
        if (hasNone()) {
            move();
        } else if (resting === 0) {
            resting = setTimeout(lookCloser, Math.max(0, looked + REST_MS - Date.now()));
        }
    };
    const lookCloser = (): void => {
        resting = 0;
        looked = Date.now();
        if (hasNone() || !document.activeElement?.checkVisibility()) {
            move();
        }
    };
    // Not by a frame: that would be one more for each change.
    const check = (): void => {
        if (waiting === 0) {
            waiting = setTimeout(look, 0);
        }
    };
    document.addEventListener('focusin', focused);
    const unwatch = store.watch(check);
    check();
    return () => {
        unwatch();
        clearTimeout(waiting);
        clearTimeout(resting);
        document.removeEventListener('focusin', focused);
    };
}

function hasNone(): boolean {
    return !document.activeElement || document.activeElement === document.body;
}

function successor(last: string): HTMLElement | undefined {
    const find = (selector: string): HTMLElement | undefined => [...document.querySelectorAll<HTMLElement>(selector)].find((element) => element.checkVisibility());
    for (const testId of SUCCESSORS[last] ?? []) {
        const found = find(testId === 'channel-current' ? '.sidebar [aria-current="page"]' : `[data-testid="${testId}"]:not(:disabled)`);
        if (found) {
            return found;
        }
    }
    // The stage of the call is on its way, and takes it.
    if (SUCCESSORS[last]?.includes('mute') && store.get().active) {
        return undefined;
    }
    // On a phone the field would bring up its keyboard: there the channel itself.
    const field = matchMedia('(pointer: coarse)').matches ? undefined : find('[data-testid="composer"]');
    return field ?? find('#channel') ?? find('.sidebar [aria-current="page"]') ?? find('.sidebar button');
}
