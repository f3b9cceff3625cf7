/**
 * What may make itself heard or seen around calls, as this person set it in this browser.
 *
 * Not here: do-not-disturb and muted channels, which the server knows (`ringing`).
 */
import {allAlerts, type Alerts} from '../state/alerts';

const KEY = 'parley.alerts';

export function readAlerts(): Alerts {
    try {
        const value = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Record<keyof Alerts, unknown>> | null;
        return {ring: value?.ring !== false, notify: value?.notify !== false, moves: value?.moves !== false};
    } catch {
        return allAlerts;
    }
}

export function keepAlerts(alerts: Alerts): void {
    try {
        localStorage.setItem(KEY, JSON.stringify(alerts));
    } catch {
        // Storage may be switched off: the choice then lasts as long as the page.
    }
}

/** What the browser says about notices outside of the page; `unsupported` on pages without https, too. */
export function noticePermission(): NotificationPermission | 'unsupported' {
    return typeof Notification === 'undefined' ? 'unsupported' : Notification.permission;
}
