/** What every reader of the server's events needs, and nothing that packs or unpacks them. */

/** Before the names of Calls events and actions. */
export const ACTION_PREFIX = 'custom_com.mattermost.calls_';

export function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}
