/** The keys of the call: what they do, another one for each, all of them off. */
import {useState, type ReactNode} from 'react';
import {changeSettings} from '../../app/settings';
import {useSettings} from '../../state/settings';
import {ACTIONS, actionOf, combinationOf, DEFAULT_KEYS, isBare, labelOf, withKey, type Action} from '../../state/shortcuts';
import {say, type Key} from '../../words/words';
import {onMac} from './shortcuts';

const NAMES: Readonly<Record<Action, Key>> = {
    mute: 'call_key_mute', hand: 'call_key_hand', share: 'call_key_share', react: 'call_key_react', captions: 'call_key_captions',
    people: 'call_key_people', fullscreen: 'call_key_fullscreen', leave: 'call_key_leave', help: 'call_key_help',
};

/** Needed to get around in the page and in this list. */
const RESERVED = ['Tab', 'Shift+Tab', 'Enter', 'Space', 'Escape'];

export function KeyList(): ReactNode {
    const on = useSettings((settings) => settings.shortcutsOn);
    const keys = useSettings((settings) => settings.keys);
    /** The action whose next key is waited for. */
    const [changing, setChanging] = useState<Action | null>(null);
    const [word, setWord] = useState('');
    const take = (action: Action, combination: string): void => {
        const before = actionOf(keys, combination);
        changeSettings({keys: withKey(keys, action, combination)});
        setChanging(null);
        setWord(before && before !== action
            ? say('call_keys_moved', {key: labelOf(combination, onMac()), action: say(NAMES[before])})
            : isBare(combination) && action !== 'help' ? say('call_keys_bare') : '');
    };
    return (
        <>
            <label className="check">
                <input type="checkbox" checked={on} data-testid="shortcuts-on" onChange={(event) => changeSettings({shortcutsOn: event.target.checked})}/>
                <span>{say('call_keys_on')}</span>
            </label>
            <ul className="keys" data-off={!on}>
                {ACTIONS.map((action) => (
                    <li key={action}>
                        <span className="grow">{say(NAMES[action])}</span>
                        <button
                            type="button" data-testid={`key-${action}`} data-key={keys[action]} aria-label={say('call_keys_change', {action: say(NAMES[action]), key: keys[action] === '' ? say('call_keys_none') : labelOf(keys[action], onMac())})}
                            onClick={() => {
                                setWord('');
                                setChanging(changing === action ? null : action);
                            }}
                            onBlur={() => setChanging(null)}
                            onKeyDown={(event) => {
                                if (changing !== action) {
                                    return;
                                }
                                const combination = combinationOf(event, onMac());
                                if (RESERVED.includes(combination)) {
                                    if (combination === 'Escape') {
                                        event.preventDefault();
                                        setChanging(null);
                                    }
                                    return;
                                }
                                event.preventDefault();
                                if (combination === 'Backspace' || combination === 'Delete') {
                                    changeSettings({keys: {...keys, [action]: ''}});
                                    setChanging(null);
                                } else if (combination !== '') {
                                    take(action, combination);
                                }
                            }}
                        >
                            {changing === action ? say('call_keys_press') : keys[action] === '' ? say('call_keys_none') : <kbd>{labelOf(keys[action], onMac())}</kbd>}
                        </button>
                    </li>
                ))}
            </ul>
            <p className="hint" role="status" data-testid="keys-word">{word || say('call_keys_hint')}</p>
            <button type="button" data-testid="keys-reset" onClick={() => {
                changeSettings({keys: DEFAULT_KEYS});
                setWord('');
            }}>{say('call_keys_reset')}</button>
        </>
    );
}
