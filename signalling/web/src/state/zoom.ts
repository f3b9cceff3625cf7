/**
 * How a shared screen is enlarged inside its frame. Pure.
 *
 * Lengths are fractions of the frame: `x` and `y` are where the picture's corner lies, 0 or less.
 */

export interface Zoom {
    scale: number;
    x: number;
    y: number;
}

export const FIT: Zoom = {scale: 1, x: 0, y: 0};
/** Above, the pixels of the screen are larger than anybody needs. */
const MOST = 8;

/** Enlarges by `factor`; the point of the picture that lies at `at` stays there. */
export function zoomed(zoom: Zoom, factor: number, at: {x: number; y: number} = {x: 0.5, y: 0.5}): Zoom {
    const scale = Math.min(MOST, Math.max(1, zoom.scale * factor));
    const grown = scale / zoom.scale;
    return inFrame({scale, x: at.x - (at.x - zoom.x) * grown, y: at.y - (at.y - zoom.y) * grown});
}

export function panned(zoom: Zoom, byX: number, byY: number): Zoom {
    return inFrame({...zoom, x: zoom.x + byX, y: zoom.y + byY});
}

/** The picture covers the frame: no edge of it is pulled inside. */
function inFrame({scale, x, y}: Zoom): Zoom {
    const within = (value: number): number => Math.min(0, Math.max(1 - scale, value));
    return {scale, x: within(x), y: within(y)};
}
