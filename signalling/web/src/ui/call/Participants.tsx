/** Who is in the call: name, microphone, speaking, hand, host, reactions. */
import type {ReactNode} from 'react';
import {useApp} from '../../state/app';
import {roster, type Participant} from '../../state/roster';
import {displayName} from '../../state/chat';
import {Avatar} from '../Avatar';
import {HandIcon, MicIcon, MicOffIcon, ScreenIcon} from '../icons';

export function Participants(): ReactNode {
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const people = call ? roster(call) : [];
    return (
        <ul className="participants" tabIndex={0} aria-label={`People in the call: ${people.length}`} data-testid="participants" data-count={people.length}>
            {people.map((person) => <Tile key={person.userId} person={person}/>)}
        </ul>
    );
}

function Tile({person}: {person: Participant}): ReactNode {
    const user = useApp((state) => state.chat.users[person.userId]);
    const own = useApp((state) => person.userId === state.chat.me?.id);
    const ownMuted = useApp((state) => state.active?.muted ?? true);
    const reaction = useApp((state) => state.active?.reactions.findLast(({userId}) => userId === person.userId));
    // The own state is shown at once, also while several own devices are in the call.
    const muted = own && person.sessionIds.length === 1 ? ownMuted : person.muted;
    const speaking = person.speaking && !muted;
    const name = displayName(user);
    const label = [
        own ? `${name} (you)` : name,
        person.isHost ? 'host' : '',
        muted ? 'muted' : 'microphone on',
        speaking ? 'speaking' : '',
        person.raisedHand > 0 ? 'hand raised' : '',
        person.isSharing ? 'sharing the screen' : '',
    ].filter((part) => part !== '').join(', ');
    return (
        <li
            className="tile" aria-label={label} data-testid={`participant-${user?.username ?? person.userId}`}
            data-speaking={speaking} data-muted={muted} data-hand={person.raisedHand > 0} data-host={person.isHost}
        >
            <span className="face">
                <Avatar name={name} id={person.userId} size="large"/>
                {person.raisedHand > 0 && <span className="hand" aria-hidden="true"><HandIcon/></span>}
                {reaction && <span key={reaction.id} className="reaction" aria-hidden="true" data-testid="reaction">{reaction.emoji}</span>}
            </span>
            <span className="tile-name">
                {muted ? <MicOffIcon/> : <MicIcon/>}
                <span className="ellipsis">{name}</span>
                {person.isSharing && <ScreenIcon/>}
            </span>
            <span className="tile-role">{[own ? 'You' : '', person.isHost ? 'Host' : ''].filter((part) => part !== '').join(' · ')}</span>
        </li>
    );
}
