/** Who is in the call, as tiles that fill the room: name, microphone, speaking, hand, host, reactions. */
import {Fragment, memo, useEffect, useLayoutEffect, useRef, useState, type CSSProperties, type ReactNode} from 'react';
import {useApp} from '../../state/app';
import {inGroups, sameParticipant, type Participant} from '../../state/roster';
import {tileSize, wantedHeight, type TileSize} from '../../state/tiles';
import {currentLanguage, say} from '../../words/words';
import {Avatar} from '../Avatar';
import {HandIcon, MicIcon, MicOffIcon, ScreenIcon, WeakIcon} from '../icons';
import {PersonMenu} from './PersonMenu';
import {roleWords, useRoster, useShown} from './person';

/** Above this some tiles are out of sight, and cost nothing there. */
const MANY = 49;

export function Participants(): ReactNode {
    const {people, hold} = useRoster();
    const list = useRef<HTMLUListElement>(null);
    const room = useRoom(list);
    const size = room && people.length > 0 ? tileSize(people.length, room.width, room.height) : null;
    return (
        <ul
            ref={list} {...hold} className="participants" tabIndex={0} aria-label={say('call_people_label', {count: people.length})} data-testid="participants"
            data-count={people.length} data-many={people.length > MANY} data-form={size?.form ?? 'tall'} style={styleOf(size, room ? wantedHeight(people.length, room.width) : 0)}
        >
            {/* By groups: who begins to speak comes into another one, and no other tile is moved. */}
            {inGroups(people).map(([rank, group]) => (
                <Fragment key={rank}>{group.map((person) => <Tile key={person.userId} person={person} language={currentLanguage()}/>)}</Fragment>
            ))}
        </ul>
    );
}

/** Drawn anew when something about the person, or the language, is another. */
const Tile = memo(({person}: {person: Participant; language: string}): ReactNode => {
    const shown = useShown(person);
    const reaction = useApp((state) => state.active?.reactions.findLast(({userId}) => userId === person.userId));
    const camera = useCamera(person, shown.own);
    const {name, muted, speaking, quality, qualityText} = shown;
    return (
        <li
            className="tile" data-user={person.userId} aria-label={shown.label} data-testid={`participant-${shown.key}`} title={name}
            data-speaking={speaking} data-muted={muted} data-hand={person.raisedHand > 0} data-host={person.isHost} data-quality={quality ?? 'unknown'} data-camera={camera !== null}
        >
            {camera && <Picture stream={camera} own={shown.own} name={name}/>}
            <span className="face">
                <Avatar name={name} id={person.userId} size="large"/>
                {person.raisedHand > 0 && <span className="hand" aria-hidden="true"><HandIcon/></span>}
                {reaction && <span key={reaction.id} className="reaction" aria-hidden="true" data-testid="reaction">{reaction.emoji}</span>}
            </span>
            <span className="tile-name">
                {muted ? <MicOffIcon/> : <MicIcon/>}
                <span className="tile-words" dir="auto">{name}</span>
                {person.isSharing && <ScreenIcon/>}
                {quality !== 'good' && qualityText !== '' && <span className="weak" title={qualityText}><WeakIcon/></span>}
            </span>
            <span className="tile-role">{roleWords(shown, person)}</span>
            <PersonMenu person={person}/>
        </li>
    );
}, (before, after) => before.language === after.language && sameParticipant(before.person, after.person));

/** What the person's camera shows; null when it is off. The own one is shown at once. */
function useCamera({cameraSessionId}: Participant, own: boolean): MediaStream | null {
    return useApp(({active}) => {
        const ownHere = own ? active?.ownCamera : null;
        return ownHere ?? (cameraSessionId === '' ? null : active?.cameras[cameraSessionId] ?? null);
    });
}

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
