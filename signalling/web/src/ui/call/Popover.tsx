/**
 * A small box that opens at a button: above everything, inside the window, gone with a click
 * elsewhere or Escape, and then the focus is at the button again.
 *
 * The browser's own popover does the closing; here is only where it stands and what has the focus. Until
 * somebody comes near the button there is no box: a call of hundreds has as many of them.
 */
import {useCallback, useEffect, useId, useRef, useState, type ReactNode} from 'react';

/** What the button must carry. */
export interface Trigger {
    popoverTarget: string;
    'aria-expanded': boolean;
    'aria-haspopup': 'dialog';
    onPointerEnter: () => void;
    onFocus: () => void;
    onClick: () => void;
}

interface Props {
    label: string;
    testId?: string;
    className?: string;
    button: (trigger: Trigger) => ReactNode;
    /** Called only while it is open. */
    children: (close: () => void) => ReactNode;
}

const MARGIN = 8;

export function Popover({label, testId, className = '', button, children}: Props): ReactNode {
    const id = useId();
    const box = useRef<HTMLDivElement>(null);
    const [open, setOpen] = useState(false);
    const [near, setNear] = useState<'far' | 'near' | 'pressed'>('far');
    const come = (): void => setNear((before) => (before === 'far' ? 'near' : before));
    const close = useCallback(() => box.current?.hidePopover(), []);
    useEffect(() => {
        const element = box.current;
        const toggled = (event: Event): void => {
            const opens = (event as ToggleEvent).newState === 'open';
            setOpen(opens);
            // A click on nothing in particular takes the focus away from everything.
            if (!opens && (document.activeElement === document.body || document.activeElement === null)) {
                triggerOf(id)?.focus({preventScroll: true});
            }
        };
        element?.addEventListener('toggle', toggled);
        if (near === 'pressed') {
            element?.showPopover(); // pressed by a program that came from nowhere
        }
        return () => element?.removeEventListener('toggle', toggled);
    }, [id, near]);
    useEffect(() => {
        const [element, trigger] = [box.current, triggerOf(id)];
        if (!open || !element || !trigger) {
            return;
        }
        const place = (): void => standAt(element, trigger);
        place();
        (element.querySelector<HTMLElement>('[data-first]') ?? element.querySelector<HTMLElement>('button, input'))?.focus({preventScroll: true});
        window.addEventListener('resize', place);
        return () => {
            window.removeEventListener('resize', place);
            delete element.dataset['placed'];
        };
    }, [open, id]);
    return (
        <>
            {button({
                popoverTarget: id, 'aria-expanded': open, 'aria-haspopup': 'dialog', onPointerEnter: come, onFocus: come,
                onClick: () => setNear((before) => (before === 'far' ? 'pressed' : before)),
            })}
            {near !== 'far' && <div ref={box} id={id} popover="auto" role="dialog" aria-label={label} className={`floating ${className}`} data-testid={testId}>
                {open && children(close)}
            </div>}
        </>
    );
}

function triggerOf(id: string): HTMLElement | null {
    return document.querySelector<HTMLElement>(`[popovertarget="${CSS.escape(id)}"]`);
}

/** Above the button where there is room, else below; never outside the window. */
export function standAt(element: HTMLElement, trigger: HTMLElement): void {
    const at = trigger.getBoundingClientRect();
    const {width, height} = element.getBoundingClientRect();
    const above = at.top - height - MARGIN;
    const top = above >= MARGIN ? above : at.bottom + MARGIN;
    const left = at.left + at.width / 2 - width / 2;
    const within = (value: number, size: number, room: number): number => Math.max(MARGIN, Math.min(value, room - size - MARGIN));
    element.style.top = `${within(top, height, window.innerHeight)}px`;
    element.style.left = `${within(left, width, window.innerWidth)}px`;
    element.dataset['placed'] = 'true';
}
