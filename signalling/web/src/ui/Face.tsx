/** A person's face with a mark that says whether the person is there: by shape, not by colour alone. */
import type {ReactNode} from 'react';
import {useApp} from '../state/app';
import {displayName} from '../state/chat';
import type {Status} from '../state/presence';
import {say} from '../words/words';
import {Avatar} from './Avatar';

export function Face({id}: {id: string}): ReactNode {
    const name = useApp((state) => displayName(state.chat.users[id]));
    const status = useApp((state) => state.presence.statuses[id]);
    return (
        <span className="face-with-status">
            <Avatar name={name} id={id}/>
            {status && <span className="presence" data-status={status} data-testid="presence" title={statusWord(status)}/>}
        </span>
    );
}

export function statusWord(status: Status): string {
    switch (status) {
    case 'online':
        return say('people_online');
    case 'away':
        return say('people_away');
    case 'dnd':
        return say('people_dnd');
    case 'offline':
        return say('people_offline');
    }
}
