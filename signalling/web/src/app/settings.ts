/** Changes of the call's settings, and where the browser keeps them. */
import {readSettings, settings, withVolume, type Settings} from '../state/settings';

const KEY = 'parley.call-settings';

/** As remembered; once, when the page begins. */
export function loadSettings(): void {
    settings.update(() => readSettings(stored()));
}

export function changeSettings(change: Partial<Settings>): void {
    settings.update((now) => ({...now, ...change}));
    keep();
}

export function setVolume(userId: string, volume: number): void {
    settings.update((now) => withVolume(now, userId, volume));
    keep();
}

function keep(): void {
    try {
        localStorage.setItem(KEY, JSON.stringify(settings.get()));
    } catch {
        // Storage may be switched off: then the choice holds until the page is closed.
    }
}

function stored(): string | null {
    try {
        return localStorage.getItem(KEY);
    } catch {
        return null;
    }
}
