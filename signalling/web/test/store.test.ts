/** Who waits for the state gets what they wait for, or the end of their patience. */
import {afterEach, beforeEach, expect, it, vi} from 'vitest';
import {Store} from '../src/state/store';

beforeEach(() => {
    vi.useFakeTimers();
});
afterEach(() => {
    vi.useRealTimers();
});

async function over(waiting: Promise<void>): Promise<boolean> {
    let ended = false;
    void waiting.then(() => {
        ended = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    return ended;
}

it('waits until the state is as wished, and not at all when it is', async () => {
    const store = new Store(0);
    const waiting = store.until((count) => count > 1, 1000);
    store.update((count) => count + 1);
    expect(await over(waiting)).toBe(false);
    store.update((count) => count + 1);
    expect(await over(waiting)).toBe(true);
    expect(await over(store.until((count) => count > 1, 1000))).toBe(true);
});

it('waits no longer than it was asked to', async () => {
    const waiting = new Store(0).until(() => false, 1000);
    await vi.advanceTimersByTimeAsync(999);
    expect(await over(waiting)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await over(waiting)).toBe(true);
});

it('tells gathered changes once, and with the next change that is told at once', async () => {
    const store = new Store(0);
    let heard = 0;
    store.watch(() => {
        heard += 1;
    });
    store.gather(() => store.update((count) => count + 1));
    store.gather(() => store.update((count) => count + 1));
    expect([store.get(), heard]).toEqual([2, 0]);
    await vi.advanceTimersByTimeAsync(100);
    expect(heard).toBe(1);
    store.gather(() => store.update((count) => count + 1));
    store.update((count) => count + 1);
    expect(heard).toBe(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(heard).toBe(2);
});

it('tells gathered changes after the patience that was asked for', async () => {
    const store = new Store(0);
    let heard = 0;
    store.watch(() => {
        heard += 1;
    });
    vi.stubGlobal('requestAnimationFrame', (frame: () => void) => setTimeout(frame, 16));
    store.gather(() => store.update((count) => count + 1), 300);
    await vi.advanceTimersByTimeAsync(299);
    expect([store.get(), heard]).toEqual([1, 0]);
    await vi.advanceTimersByTimeAsync(1);
    expect(heard).toBe(1);
    // Once more with the next frame, and only once.
    store.gather(() => store.update((count) => count + 1));
    await vi.advanceTimersByTimeAsync(1000);
    expect(heard).toBe(2);
    vi.unstubAllGlobals();
});
