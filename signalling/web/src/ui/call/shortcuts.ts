/** Keys for the call: what the person chose in `state/shortcuts`, carried out. */
import {useEffect} from 'react';
import {leaveCall} from '../../app/call';
import {showDialog, toggleCaptions, togglePanel} from '../../app/stage';
import {holdToTalk, toggleHand, toggleMute, toggleScreen} from '../../app/incall';
import {settings} from '../../state/settings';
import {actionOf, combinationOf, types, type Action} from '../../state/shortcuts';

const ACTS: Readonly<Record<Action, () => void>> = {
    mute: () => void toggleMute(),
    hand: toggleHand,
    share: () => void toggleScreen(),
    react: () => document.querySelector<HTMLElement>('[data-testid="react"]')?.click(),
    captions: toggleCaptions,
    people: () => togglePanel('people'),
    fullscreen: () => document.querySelector<HTMLElement>('[data-testid="screen-full"]')?.click(),
    leave: leaveCall,
    help: () => showDialog('shortcuts'),
};

export function useShortcuts(): void {
    useEffect(() => {
        /** The key that is held to talk, by its place on the keyboard. */
        let held = '';
        const pressed = (event: KeyboardEvent): void => {
            const {shortcutsOn, keys, pushToTalk} = settings.get();
            const combination = combinationOf(event, onMac());
            const action = actionOf(keys, combination);
            if (!shortcutsOn || !action || event.defaultPrevented || event.isComposing || document.querySelector('dialog[open]')) {
                return;
            }
            if (types(combination) && isWriting(event.target)) {
                return;
            }
            event.preventDefault();
            if (event.repeat) {
                return;
            }
            if (action === 'mute' && pushToTalk) {
                held = event.code;
                holdToTalk(true);
                return;
            }
            ACTS[action]();
        };
        const letGo = (): void => {
            if (held !== '') {
                held = '';
                holdToTalk(false);
            }
        };
        const released = (event: KeyboardEvent): void => {
            // Some systems never tell of the key when a modifier was let go first.
            if (event.code === held || ['Control', 'Meta', 'Alt', 'Shift'].includes(event.key)) {
                letGo();
            }
        };
        window.addEventListener('keydown', pressed);
        window.addEventListener('keyup', released);
        window.addEventListener('blur', letGo);
        return () => {
            letGo();
            window.removeEventListener('keydown', pressed);
            window.removeEventListener('keyup', released);
            window.removeEventListener('blur', letGo);
        };
    }, []);
}

export function onMac(): boolean {
    return /Mac|iPhone|iPad/.test(navigator.platform);
}

function isWriting(target: EventTarget | null): boolean {
    return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));
}
