/** The whole of a name that its tile has no room for: where a finger touches it, since only a mouse is shown a title. */
import {useEffect, useRef, useState, type MouseEvent, type ReactNode} from 'react';
import {standAt} from './Popover';

interface Named {
    tile: HTMLElement;
    name: string;
}

/** `shown` stands beside the tiles, `onClick` on what holds them. */
export function useWholeName(): {shown: ReactNode; onClick: (event: MouseEvent) => void} {
    const [named, setNamed] = useState<Named | null>(null);
    return {
        shown: named && <NameBox key={named.tile.dataset['user']} {...named} onClose={() => setNamed(null)}/>,
        onClick: ({target, nativeEvent}) => {
            const tile = target instanceof Element && !target.closest('button') ? target.closest<HTMLElement>('.tile') : null;
            const words = tile?.querySelector<HTMLElement>('.tile-words');
            // Not every browser says with what was clicked.
            const byHand = 'pointerType' in nativeEvent && nativeEvent.pointerType !== '' ? nativeEvent.pointerType !== 'mouse' : matchMedia('(hover: none)').matches;
            setNamed(tile && words && byHand && isCut(words) ? {tile, name: words.textContent} : null);
        },
    };
}

/** Above everything, until something else is touched. Who listens has the whole name anyway. */
function NameBox({tile, name, onClose}: Named & {onClose: () => void}): ReactNode {
    const box = useRef<HTMLDivElement>(null);
    useEffect(() => {
        const element = box.current;
        const toggled = (event: Event): void => {
            if ((event as ToggleEvent).newState === 'closed') {
                onClose();
            }
        };
        element?.showPopover();
        if (element) {
            standAt(element, tile);
        }
        element?.addEventListener('toggle', toggled);
        return () => element?.removeEventListener('toggle', toggled);
        // Made anew for another tile.
    }, []);
    return <div ref={box} popover="auto" className="floating whole-name" dir="auto" aria-hidden="true" data-testid="whole-name">{name}</div>;
}

function isCut(words: HTMLElement): boolean {
    return words.scrollHeight > words.clientHeight + 1 || words.scrollWidth > words.clientWidth + 1;
}
