/** How many are in the call; opens the list of them (`SidePanel`). */
import type {ReactNode} from 'react';
import {togglePanel} from '../../app/stage';
import {useApp} from '../../state/app';
import {number, say} from '../../words/words';
import {PeopleIcon} from '../icons';

export function PeopleButton(): ReactNode {
    const people = useApp((state) => {
        const call = state.active ? state.calls[state.active.channelId] : undefined;
        return new Set(Object.values(call?.sessions ?? {}).map(({userId}) => userId)).size;
    });
    const open = useApp((state) => state.active?.panel === 'people');
    return (
        <button
            type="button" className="icon-button people-button" aria-expanded={open} aria-label={say('call_people_label', {count: people})}
            title={say('call_people')} data-testid="people-toggle" onClick={() => togglePanel('people')}
        >
            <PeopleIcon/><span className="tabular" aria-hidden="true">{number(people)}</span>
        </button>
    );
}
