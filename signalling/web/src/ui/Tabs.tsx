/** Parts of a dialog, one shown at a time: one tab stop, arrows go from tab to tab. */
import {useId, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {currentLanguage, directionOf} from '../words/words';

export interface Tab {
    id: string;
    title: string;
    content: ReactNode;
}

export function Tabs({label, tabs}: {label: string; tabs: readonly Tab[]}): ReactNode {
    const base = useId();
    const [chosen, setChosen] = useState(tabs[0]?.id ?? '');
    const list = useRef<HTMLDivElement>(null);
    const shown = tabs.find(({id}) => id === chosen) ?? tabs[0];
    const keyDown = (event: KeyboardEvent): void => {
        const forward = directionOf(currentLanguage()) === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
        const step = event.key === forward ? 1 : ['ArrowLeft', 'ArrowRight'].includes(event.key) ? -1 : 0;
        const at = tabs.findIndex(({id}) => id === shown?.id);
        const next = tabs[(at + step + tabs.length) % tabs.length];
        if (step !== 0 && next) {
            event.preventDefault();
            setChosen(next.id);
            list.current?.querySelector<HTMLElement>(`[data-testid="tab-${next.id}"]`)?.focus();
        }
    };
    return (
        <>
            <div ref={list} className="tabs" role="tablist" aria-label={label} onKeyDown={keyDown}>
                {tabs.map(({id, title}) => (
                    <button
                        key={id} type="button" role="tab" id={`${base}-${id}`} aria-selected={id === shown?.id} aria-controls={`${base}-panel`}
                        tabIndex={id === shown?.id ? 0 : -1} data-testid={`tab-${id}`} onClick={() => setChosen(id)}
                    >
                        {title}
                    </button>
                ))}
            </div>
            <div key={shown?.id} role="tabpanel" id={`${base}-panel`} aria-labelledby={`${base}-${shown?.id ?? ''}`} className="tab-panel">{shown?.content}</div>
        </>
    );
}
