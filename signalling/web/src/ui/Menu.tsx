/** A button that opens a short list of things to do, in the top layer so that no edge cuts it off. */
import {useId, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';

interface Props {
    label: string;
    testId: string;
    icon: ReactNode;
    className?: string;
    children: ReactNode;
}

export function Menu({label, testId, icon, className = '', children}: Props): ReactNode {
    const id = useId();
    const button = useRef<HTMLButtonElement>(null);
    const panel = useRef<HTMLDivElement>(null);
    const [open, setOpen] = useState(false);
    const items = (): HTMLButtonElement[] => [...panel.current?.querySelectorAll('button') ?? []];
    const place = (): void => {
        const [from, box] = [button.current?.getBoundingClientRect(), panel.current];
        if (from && box) {
            const below = from.bottom + box.offsetHeight + 8 < innerHeight;
            box.style.top = `${below ? from.bottom + 4 : Math.max(8, from.top - box.offsetHeight - 4)}px`;
            // Its end is at the end of the button.
            const left = getComputedStyle(box).direction === 'rtl' ? from.left : from.right - box.offsetWidth;
            box.style.left = `${Math.max(8, Math.min(left, innerWidth - box.offsetWidth - 8))}px`;
        }
    };
    const keyDown = (event: KeyboardEvent): void => {
        const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
        if (step !== 0) {
            event.preventDefault();
            const all = items();
            const at = all.findIndex((item) => item === document.activeElement);
            all[(at + step + all.length) % all.length]?.focus();
        }
        if (event.key === 'Escape') {
            event.stopPropagation(); // closes the menu, not what is around it
        }
    };
    return (
        <>
            <button
                ref={button} type="button" className={`icon-button ${className}`} popoverTarget={id} aria-haspopup="menu" aria-expanded={open}
                aria-label={label} title={label} data-testid={testId}
            >
                {icon}
            </button>
            <div
                ref={panel} id={id} popover="auto" className="menu" role="menu" aria-label={label} onKeyDown={keyDown}
                onClick={(event) => {
                    if ((event.target as Element).closest('button')) {
                        panel.current?.hidePopover();
                    }
                }}
                onToggle={(event) => {
                    const isOpen = event.newState === 'open';
                    setOpen(isOpen);
                    if (isOpen) {
                        requestAnimationFrame(() => {
                            place();
                            items()[0]?.focus();
                        });
                    }
                }}
            >
                {open && children}
            </div>
        </>
    );
}

export function MenuItem({testId, danger = false, onSelect, children}: {
    testId: string; danger?: boolean; onSelect: () => void; children: ReactNode;
}): ReactNode {
    return <button type="button" role="menuitem" className="menu-item" data-danger={danger} data-testid={testId} onClick={onSelect}>{children}</button>;
}
