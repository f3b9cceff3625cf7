/** A person's picture; the initials on a colour of their own where there is none. */
import type {ReactNode} from 'react';
import {pictureUrl} from '../api/rest';
import {useApp} from '../state/app';

interface Props {
    name: string;
    id: string;
    size?: 'small' | 'large';
}

export function Avatar(props: Props): ReactNode {
    const pictured = useApp(({chat}) => chat.users[props.id]?.last_picture_update ?? 0);
    return <Portrait {...props} pictured={pictured}/>;
}

/** `pictured`: when the picture was changed; 0 for none. Watches nothing by itself: for lists of many. */
export function Portrait({name, id, size = 'small', pictured}: Props & {pictured: number}): ReactNode {
    if (pictured > 0) {
        return <img className={`avatar ${size}`} src={pictureUrl(id, pictured)} alt="" loading="lazy"/>;
    }
    return (
        // Drawn by the style, for they are a picture of the name and not a word beside it.
        <span className={`avatar ${size}`} style={{'--hue': hue(id)} as React.CSSProperties} aria-hidden="true" data-initials={initials(name)}/>
    );
}

export function initials(name: string): string {
    const words = name.replace(/\([^)]*\)$/, '').split(/[\s._-]+/).filter((word) => word !== '');
    const first = words[0] ?? '?';
    const last = words.length > 1 ? words.at(-1) ?? '' : '';
    return (Array.from(first)[0] ?? '?').toUpperCase() + (Array.from(last)[0] ?? '').toUpperCase();
}

function hue(id: string): number {
    let sum = 0;
    for (const character of id) {
        sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 360;
    }
    return sum;
}
