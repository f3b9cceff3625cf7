/** What may make itself heard or seen around calls. */
export interface Alerts {
    /** A call in a direct or group message is heard. */
    ring: boolean;
    /** It is shown outside of the page when the page is not looked at; the browser must allow it, too. */
    notify: boolean;
    /** Somebody comes or goes in the own call. */
    moves: boolean;
}

export const allAlerts: Alerts = {ring: true, notify: true, moves: true};
