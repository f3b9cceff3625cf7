/**
 * Reactions: the choice of them, and the ones that come, with who sent them.
 *
 * Those that come are shown on the sender's tile and once more as a line of the stage, which is there
 * however many tiles there are and whether or not things may move.
 */
import type {ReactNode} from 'react';
import {react} from '../../app/incall';
import {useApp} from '../../state/app';
import {displayName} from '../../state/chat';
import {say, type Key} from '../../words/words';
import {SmileIcon} from '../icons';
import {ControlButton} from './Controls';
import {Popover} from './Popover';

interface Choice {
    name: string;
    unified: string;
    literal: string;
    label: Key;
}

const CHOICES: readonly Choice[] = [
    {name: '+1', unified: '1f44d', literal: '👍', label: 'call_react_thumbs_up'},
    {name: '-1', unified: '1f44e', literal: '👎', label: 'call_react_thumbs_down'},
    {name: 'clap', unified: '1f44f', literal: '👏', label: 'call_react_applause'},
    {name: 'heart', unified: '2764-fe0f', literal: '❤️', label: 'call_react_heart'},
    {name: 'joy', unified: '1f602', literal: '😂', label: 'call_react_laughing'},
    {name: 'tada', unified: '1f389', literal: '🎉', label: 'call_react_celebration'},
    {name: 'open_mouth', unified: '1f62e', literal: '😮', label: 'call_react_surprised'},
    {name: 'thinking_face', unified: '1f914', literal: '🤔', label: 'call_react_thinking'},
    {name: 'cry', unified: '1f622', literal: '😢', label: 'call_react_sad'},
    {name: 'pray', unified: '1f64f', literal: '🙏', label: 'call_react_thanks'},
    {name: 'wave', unified: '1f44b', literal: '👋', label: 'call_react_wave'},
    {name: 'rocket', unified: '1f680', literal: '🚀', label: 'call_react_rocket'},
    {name: 'eyes', unified: '1f440', literal: '👀', label: 'call_react_looking'},
    {name: 'white_check_mark', unified: '2705', literal: '✅', label: 'call_react_yes'},
    {name: 'x', unified: '274c', literal: '❌', label: 'call_react_no'},
    {name: 'coffee', unified: '2615', literal: '☕', label: 'call_react_break'},
];

export function ReactButton(): ReactNode {
    return (
        <Popover
            label={say('call_reactions')} testId="reactions" className="reactions"
            button={(trigger) => <ControlButton label={say('call_react')} testId="react" icon={<SmileIcon/>} action="react" trigger={trigger}/>}
        >
            {(close) => CHOICES.map(({name, unified, literal, label}) => (
                <button
                    key={name} type="button" className="emoji" aria-label={say(label)} title={say(label)} data-testid={`react-${name}`}
                    onClick={() => {
                        react(name, unified, literal);
                        close();
                    }}
                >
                    {literal}
                </button>
            ))}
        </Popover>
    );
}

const MAX_LINES = 4;

/** Not announced from here: `announce` does it once. */
export function ReactionLines(): ReactNode {
    const reactions = useApp((state) => state.active?.reactions);
    const users = useApp((state) => state.chat.users);
    if (!reactions || reactions.length === 0) {
        return null;
    }
    return (
        <ul className="reaction-lines" aria-hidden="true" data-testid="reaction-lines">
            {reactions.slice(-MAX_LINES).map(({id, userId, emoji}) => (
                <li key={id}><span className="reaction-sign">{emoji}</span> <bdi>{displayName(users[userId])}</bdi></li>
            ))}
        </ul>
    );
}
