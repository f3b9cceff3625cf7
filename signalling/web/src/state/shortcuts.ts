/**
 * Keys for the call: which combination does what, as plain values.
 *
 * A combination is written `Mod+Shift+Y`: modifiers in this order, then the key. `Mod` is Command on
 * a Mac and Control elsewhere, so that one list serves both.
 * Invariant: by default no letter, digit or sign acts without a modifier, except `?`, which shows the
 * list and goes off with the others. See: WCAG 2.1.4.
 */
import {isRecord} from '../peer/record';
import {say} from '../words/words';

export const ACTIONS = ['mute', 'hand', 'share', 'react', 'captions', 'people', 'fullscreen', 'leave', 'help'] as const;
export type Action = typeof ACTIONS[number];
/** Empty: no key. */
export type Keys = Readonly<Record<Action, string>>;

/** The ones of Mattermost Calls where it has one. */
export const DEFAULT_KEYS: Keys = {
    mute: 'Mod+Shift+Space',
    hand: 'Mod+Shift+Y',
    share: 'Mod+Shift+G',
    react: 'Mod+Shift+X',
    captions: 'Mod+Shift+E',
    people: 'Alt+P',
    fullscreen: 'Alt+Enter',
    leave: 'Mod+Shift+L',
    help: '?',
};

export interface KeyPress {
    key: string;
    code: string;
    ctrlKey: boolean;
    metaKey: boolean;
    altKey: boolean;
    shiftKey: boolean;
}

/** Empty while only modifiers are held. */
export function combinationOf(press: KeyPress, mac: boolean): string {
    const key = keyOf(press);
    if (key === '') {
        return '';
    }
    const sign = key.length === 1 && !/[A-Z0-9]/.test(key);
    return [
        (mac ? press.metaKey : press.ctrlKey) ? 'Mod' : '',
        (mac ? press.ctrlKey : press.metaKey) ? (mac ? 'Ctrl' : 'Meta') : '',
        press.altKey ? 'Alt' : '',
        // A sign is typed with or without Shift, as the keyboard has it.
        press.shiftKey && !sign ? 'Shift' : '',
        key,
    ].filter((part) => part !== '').join('+');
}

/** Would type something into a text: such a combination rests while the person writes. */
export function types(combination: string): boolean {
    return !/^(Mod|Ctrl|Meta)\+|F\d+$/.test(combination);
}

/** A letter, digit or sign alone acts by accident, and with speech input by a word. */
export function isBare(combination: string): boolean {
    return !/^(Mod|Ctrl|Meta|Alt)\+/.test(combination) && !/^(Shift\+)?F\d+$/.test(combination);
}

export function actionOf(keys: Keys, combination: string): Action | null {
    return combination === '' ? null : ACTIONS.find((action) => keys[action] === combination) ?? null;
}

/** Gives `action` a combination; who had it before has none. */
export function withKey(keys: Keys, action: Action, combination: string): Keys {
    const next = {...keys};
    const before = actionOf(keys, combination);
    if (before) {
        next[before] = '';
    }
    next[action] = combination;
    return next;
}

/** As keyboards of the page's language are labelled. */
export function labelOf(combination: string, mac: boolean): string {
    const names: Record<string, string> = {
        Space: say('key_space'), Enter: say('key_enter'), ArrowUp: '↑', ArrowDown: '↓', ArrowLeft: '←', ArrowRight: '→',
        ...(mac ? {Mod: '⌘', Ctrl: '⌃', Alt: '⌥', Shift: '⇧'} : {Mod: say('key_ctrl'), Shift: say('key_shift'), Meta: 'Win'}),
    };
    const parts = combination.split('+').map((part) => names[part] ?? part);
    return parts.join(mac ? ' ' : '+');
}

/** As `aria-keyshortcuts` wants them. */
export function ariaKeys(combination: string, mac: boolean): string {
    return combination.replace(/^Mod\b/, mac ? 'Meta' : 'Control').replace(/\bCtrl\b/, 'Control');
}

export function readKeys(value: unknown): Keys {
    const keys: Record<Action, string> = {...DEFAULT_KEYS};
    for (const action of ACTIONS) {
        const stored = isRecord(value) ? value[action] : undefined;
        if (typeof stored === 'string' && stored.length < 40) {
            keys[action] = stored;
        }
    }
    return keys;
}

function keyOf({key, code}: KeyPress): string {
    if (['Control', 'Shift', 'Alt', 'Meta', 'AltGraph', 'Dead', 'Unidentified', 'Process', 'CapsLock'].includes(key)) {
        return '';
    }
    if (code === 'Space') {
        return 'Space';
    }
    if (/^[a-z0-9]$/i.test(key)) {
        return key.toUpperCase();
    }
    // Alt, and layouts of other scripts, make another sign of the key: the place of the key counts.
    const place = /^(?:Key|Digit)([A-Z0-9])$/.exec(code);
    if (place?.[1] && (key.length !== 1 || key.charCodeAt(0) > 127)) {
        return place[1];
    }
    return key;
}
