/** Who is in the call, as tiles that fill the room: name, microphone, speaking, hand, host, reactions. */
import {Fragment, memo, useEffect, useLayoutEffect, useMemo, useRef, useState, type CSSProperties, type ReactNode} from 'react';
import type {Reaction} from '../../state/active';
import {useApp} from '../../state/app';
import {inGroups, MANY} from '../../state/roster';
import {tileSize, wantedHeight, type TileSize} from '../../state/tiles';
import {say} from '../../words/words';
import {Portrait} from '../Avatar';
import {HandIcon, MicIcon, MicOffIcon, ScreenIcon, WeakIcon} from '../icons';
import {useNear, type Near} from './near';
import {PersonMenu} from './PersonMenu';
import {personProps, roleWords, samePerson, shownOf, useRoster, useWatched, type PersonProps} from './person';
import {useWholeName} from './WholeName';

export function Participants(): ReactNode {
    const {people, hold} = useRoster();
    const watched = useWatched();
    const reactions = useApp((state) => state.active?.reactions) ?? [];
    const cameras = useApp((state) => state.active?.cameras);
    const ownCamera = useApp((state) => state.active?.ownCamera ?? null);
    const wholeName = useWholeName();
    const list = useRef<HTMLUListElement>(null);
    const room = useRoom(list);
    const count = people.length;
    const near = useNear(count > MANY);
    const size = useMemo(() => (room && count > 0 ? tileSize(count, room.width, room.height) : null), [room, count]);
    const style = useMemo(() => styleOf(size, room ? wantedHeight(count, room.width) : 0), [size, room, count]);
    const latest = new Map(reactions.map((reaction) => [reaction.userId, reaction]));
    return (
        <>
            <ul
                ref={list} {...hold} onClick={wholeName.onClick} className="participants" tabIndex={0} aria-label={say('call_people_label', {count})} data-testid="participants"
                data-count={count} data-many={count > MANY} data-form={size?.form ?? 'tall'} data-cameras={ownCamera !== null || people.some(({cameraSessionId}) => cameraSessionId !== '')} style={style}
            >
                {/* By groups: who begins to speak comes into another one, and no other tile is moved. */}
                {inGroups(people).map(([rank, group]) => (
                    <Fragment key={rank}>
                        {group.map((person) => {
                            const props = personProps(person, watched);
                            return <Tile key={person.userId} {...props} near={near} reaction={latest.get(person.userId)} camera={(props.own ? ownCamera : null) ?? cameras?.[person.cameraSessionId] ?? null}/>;
                        })}
                    </Fragment>
                ))}
            </ul>
            {wholeName.shown}
        </>
    );
}

interface TileProps extends PersonProps {
    reaction: Reaction | undefined;
    /** What the person's camera shows; null when it is off. The own one is shown at once. */
    camera: MediaStream | null;
    near: Near;
}

/** Drawn anew when something about the person, or the language, is another. It watches nothing by itself. */
const Tile = memo(({reaction, camera, near, ...props}: TileProps): ReactNode => {
    const {person, user} = props;
    const shown = shownOf(props);
    const {name, muted, speaking, quality, qualityText} = shown;
    const role = roleWords(shown, person);
    return (
        <li
            ref={near} className="tile" data-user={person.userId} aria-label={shown.label} data-testid={`participant-${shown.key}`} title={name}
            data-speaking={speaking} data-muted={muted} data-hand={person.raisedHand > 0} data-host={person.isHost} data-quality={quality ?? 'unknown'} data-camera={camera !== null} data-role={role !== ''}
        >
            {camera && <Picture stream={camera} own={shown.own} name={name}/>}
            <span className="face" data-signed={person.raisedHand > 0 || reaction !== undefined}>
                <Portrait name={name} id={person.userId} size="large" pictured={user?.last_picture_update ?? 0}/>
                {person.raisedHand > 0 && <span className="hand" aria-hidden="true"><HandIcon/></span>}
                {reaction && <span key={reaction.id} className="reaction" aria-hidden="true" data-testid="reaction">{reaction.emoji}</span>}
            </span>
            <span className="tile-name">
                {muted ? <MicOffIcon/> : <MicIcon/>}
                <span className="tile-words" dir="auto">{name}</span>
                {person.isSharing && <ScreenIcon/>}
                {quality !== 'good' && qualityText !== '' && <span className="weak" title={qualityText}><WeakIcon/></span>}
            </span>
            <span className="tile-role">{role}</span>
            <PersonMenu person={person} user={user} own={props.own} hosts={props.hosts}/>
        </li>
    );
}, samePerson);

/** Oneself as in a mirror. */
function Picture({stream, own, name}: {stream: MediaStream; own: boolean; name: string}): ReactNode {
    const video = useRef<HTMLVideoElement>(null);
    useEffect(() => {
        const element = video.current;
        if (element) {
            element.srcObject = stream;
            element.play().catch(() => undefined);
        }
        return () => {
            if (element) {
                element.srcObject = null;
            }
        };
    }, [stream]);
    return <video ref={video} className="picture" data-own={own} autoPlay muted playsInline data-testid="camera-picture" aria-label={say('call_camera_of', {name})}/>;
}

interface Room { width: number; height: number }

/** The room inside the list, measured again whenever it changes. */
function useRoom(list: React.RefObject<HTMLUListElement | null>): Room | null {
    const [room, setRoom] = useState<Room | null>(null);
    useLayoutEffect(() => {
        const element = list.current;
        if (!element) {
            return;
        }
        const measure = (): void => {
            const style = getComputedStyle(element);
            const width = element.clientWidth - parseFloat(style.paddingInlineStart) - parseFloat(style.paddingInlineEnd);
            const height = element.clientHeight - parseFloat(style.paddingBlockStart) - parseFloat(style.paddingBlockEnd);
            setRoom((before) => (before && Math.abs(before.width - width) < 1 && Math.abs(before.height - height) < 1 ? before : {width, height}));
        };
        measure();
        const observer = new ResizeObserver(measure);
        observer.observe(element);
        return () => observer.disconnect();
    }, [list]);
    return room;
}

function styleOf(size: TileSize | null, wanted: number): CSSProperties {
    const lengths: Record<string, string> = {'--wanted': `${wanted}px`};
    if (size) {
        lengths['--tile-width'] = `${size.width}px`;
        lengths['--tile-height'] = `${size.height}px`;
        lengths['--face'] = `${size.face}px`;
    }
    return lengths;
}
