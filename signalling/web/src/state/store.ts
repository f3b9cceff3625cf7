/**
 * The one place where the screen's state lives, and how components watch parts of it.
 *
 * Invariant: a state is never changed in place, so an unchanged part keeps its identity.
 */
import {useSyncExternalStore} from 'react';

/** Watchers hear of gathered changes after so long, when no frame comes. */
const FRAMELESS_MS = 100;

export class Store<S> {
    private readonly watchers = new Set<() => void>();
    private gathering = false;
    private patience = 0;
    private due: ReturnType<typeof setTimeout> | undefined;

    constructor(private state: S) {}

    get(): S {
        return this.state;
    }

    /** Replaces the state by what `next` makes of it; watchers hear only of a difference. */
    update(next: (state: S) => S): void {
        const state = next(this.state);
        if (state !== this.state) {
            this.state = state;
            if (this.gathering) {
                this.tellSoon();
            } else {
                this.tell();
            }
        }
    }

    /**
     * Runs `act`: its changes hold at once, and watchers hear of them with those of others: once before the
     * next frame, or after `patience` ms where that many frames would cost too much.
     */
    gather(act: () => void, patience = 0): void {
        const before = this.gathering;
        this.gathering = true;
        this.patience = patience;
        try {
            act();
        } finally {
            this.gathering = before;
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

    private tell(): void {
        clearTimeout(this.due);
        this.due = undefined;
        this.watchers.forEach((watcher) => watcher());
    }

    private tellSoon(): void {
        if (this.due !== undefined) {
            return;
        }
        // A page out of sight has no frames.
        const due = setTimeout(() => this.tell(), this.patience || FRAMELESS_MS);
        this.due = due;
        if (this.patience > 0) {
            return;
        }
        globalThis.requestAnimationFrame?.(() => {
            if (this.due === due) {
                this.tell();
            }
        });
    }
}

/** `pick` must return a part of the state or a plain value, not something built on each call. */
export function useStore<S, T>(store: Store<S>, pick: (state: S) => T): T {
    return useSyncExternalStore(store.watch, () => pick(store.get()));
}
