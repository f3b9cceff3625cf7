/**
 * Which of many people are drawn: those in sight and a row beyond.
 *
 * Out: `data-far` on the entries of a list that are further away: the style draws nothing of what is in them.
 * `content-visibility: auto` would draw nearly all, for it looks well beyond the window; and whoever changes their
 * place moves all who follow.
 */
import {useCallback, useRef, type RefCallback} from 'react';

/** CSS px: more than a row, so that the next one is there before one scrolls or tabs to it. */
const NEAR_PX = 60;

/** Told of an entry when it comes, as its `ref`. */
export type Near = RefCallback<HTMLElement> | undefined;

/** For the entries of one list; nothing is watched unless there are `many`. */
export function useNear(many: boolean): Near {
    const observer = useRef<IntersectionObserver | null>(null);
    const near = useCallback((entry: HTMLElement | null) => {
        if (!entry) {
            return undefined;
        }
        observer.current ??= new IntersectionObserver((seen) => {
            for (const {target, isIntersecting} of seen) {
                // What has the focus, an open menu with it, stays.
                (target as HTMLElement).dataset['far'] = String(!isIntersecting && !target.contains(document.activeElement));
            }
        }, {root: entry.parentElement, rootMargin: `${NEAR_PX}px`});
        observer.current.observe(entry);
        return () => {
            observer.current?.unobserve(entry);
            delete entry.dataset['far'];
        };
    }, []);
    return many ? near : undefined;
}
