/** Single keys for the call; they rest while the person writes. */
import {useEffect} from 'react';
import {toggleCaptions, toggleHand, toggleMute, toggleScreen} from '../../app/call';

const KEYS: Readonly<Record<string, () => void>> = {
    m: () => void toggleMute(),
    h: toggleHand,
    s: () => void toggleScreen(),
    c: toggleCaptions,
};

export function useShortcuts(): void {
    useEffect(() => {
        const pressed = (event: KeyboardEvent): void => {
            if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.repeat || isWriting(event.target)) {
                return;
            }
            const act = KEYS[event.key.toLowerCase()];
            if (act) {
                event.preventDefault();
                act();
            }
        };
        window.addEventListener('keydown', pressed);
        return () => window.removeEventListener('keydown', pressed);
    }, []);
}

function isWriting(target: EventTarget | null): boolean {
    return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));
}
