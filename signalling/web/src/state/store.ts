/**
 * The one place where the screen's state lives, and how components watch parts of it.
 *
 * Invariant: a state is never changed in place, so an unchanged part keeps its identity.
 */
import {useSyncExternalStore} from 'react';

export class Store<S> {
    private readonly watchers = new Set<() => void>();

    constructor(private state: S) {}

    get(): S {
        return this.state;
    }

    /** Replaces the state by what `next` makes of it; watchers hear only of a difference. */
    update(next: (state: S) => S): void {
        const state = next(this.state);
        if (state !== this.state) {
            this.state = state;
            this.watchers.forEach((watcher) => watcher());
        }
    }

    readonly watch = (watcher: () => void): (() => void) => {
        this.watchers.add(watcher);
        return () => {
            this.watchers.delete(watcher);
        };
    };

    /** Resolves when `holds` is true of the state, at the latest after `ms`. */
    until(holds: (state: S) => boolean, ms: number): Promise<void> {
        return new Promise((resolve) => {
            const look = (): void => {
                if (holds(this.state)) {
                    over();
                }
            };
            const over = (): void => {
                clearTimeout(timer);
                unwatch();
                resolve();
            };
            const timer = setTimeout(over, ms);
            const unwatch = this.watch(look);
            look();
        });
    }
}

/** `pick` must return a part of the state or a plain value, not something built on each call. */
export function useStore<S, T>(store: Store<S>, pick: (state: S) => T): T {
    return useSyncExternalStore(store.watch, () => pick(store.get()));
}
