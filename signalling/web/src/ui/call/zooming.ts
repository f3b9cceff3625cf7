/**
 * Looking closer at a shared screen: Ctrl and the wheel, two fingers, keys on the focused frame;
 * dragging moves it.
 */
import {useEffect, useRef, useState, type KeyboardEvent, type PointerEvent, type RefObject} from 'react';
import {FIT, panned, zoomed, type Zoom} from '../../state/zoom';

/** One press of a button or key. */
export const STEP = 1.25;
const KEY_PAN = 0.1;

interface Handlers {
    onPointerDown: (event: PointerEvent) => void;
    onPointerMove: (event: PointerEvent) => void;
    onPointerUp: (event: PointerEvent) => void;
    onPointerCancel: (event: PointerEvent) => void;
    onKeyDown: (event: KeyboardEvent) => void;
}

interface Point {
    x: number;
    y: number;
}

export function useZoom(frame: RefObject<HTMLElement | null>): {zoom: Zoom; setZoom: (zoom: Zoom) => void; handlers: Handlers} {
    const [zoom, setZoom] = useState(FIT);
    const fingers = useRef(new Map<number, Point>());
    useEffect(() => {
        const element = frame.current;
        const turned = (event: WheelEvent): void => {
            if (event.ctrlKey || event.metaKey) {
                event.preventDefault(); // else the browser enlarges the page
                const at = placeIn(element, event.clientX, event.clientY);
                setZoom((before) => zoomed(before, Math.exp(-event.deltaY / 300), at));
            }
        };
        element?.addEventListener('wheel', turned, {passive: false});
        return () => element?.removeEventListener('wheel', turned);
    }, [frame]);

    const moved = (event: PointerEvent): void => {
        const before = fingers.current.get(event.pointerId);
        if (!before) {
            return;
        }
        const now = placeIn(frame.current, event.clientX, event.clientY);
        const other = [...fingers.current].find(([id]) => id !== event.pointerId)?.[1];
        fingers.current.set(event.pointerId, now);
        if (other) {
            const middle = {x: (now.x + other.x) / 2, y: (now.y + other.y) / 2};
            setZoom((zoomNow) => zoomed(zoomNow, distance(now, other) / Math.max(0.01, distance(before, other)), middle));
        } else {
            setZoom((zoomNow) => panned(zoomNow, now.x - before.x, now.y - before.y));
        }
    };
    const lifted = (event: PointerEvent): void => {
        fingers.current.delete(event.pointerId);
    };
    const pressed = (event: KeyboardEvent): void => {
        const next = byKey(zoom, event.key);
        if (next && !event.ctrlKey && !event.metaKey && !event.altKey) {
            event.preventDefault();
            setZoom(next);
        }
    };
    return {zoom, setZoom, handlers: {
        onPointerDown: (event) => {
            fingers.current.set(event.pointerId, placeIn(frame.current, event.clientX, event.clientY));
            event.currentTarget.setPointerCapture(event.pointerId);
        },
        onPointerMove: moved, onPointerUp: lifted, onPointerCancel: lifted, onKeyDown: pressed,
    }};
}

function byKey(zoom: Zoom, key: string): Zoom | null {
    switch (key) {
    case '+':
    case '=':
        return zoomed(zoom, STEP);
    case '-':
        return zoomed(zoom, 1 / STEP);
    case '0':
        return FIT;
    case 'ArrowLeft':
        return panned(zoom, KEY_PAN, 0);
    case 'ArrowRight':
        return panned(zoom, -KEY_PAN, 0);
    case 'ArrowUp':
        return panned(zoom, 0, KEY_PAN);
    case 'ArrowDown':
        return panned(zoom, 0, -KEY_PAN);
    default:
        return null;
    }
}

function placeIn(element: HTMLElement | null, x: number, y: number): Point {
    const box = element?.getBoundingClientRect();
    return box && box.width > 0 && box.height > 0 ? {x: (x - box.left) / box.width, y: (y - box.top) / box.height} : {x: 0.5, y: 0.5};
}

function distance(a: Point, b: Point): number {
    return Math.hypot(a.x - b.x, a.y - b.y);
}
