/**
 * What happened in this page's calls, for whoever looks into a fault: `/call logs` sends it.
 *
 * Invariant: bounded, and without what people say or write: names of events and states, ids, times.
 */

const MOST_LINES = 1000;

const lines: string[] = [];

/** `fields` name ids and states only. */
export function logCall(what: string, fields: Readonly<Record<string, string | number | boolean>> = {}): void {
    const said = Object.entries(fields).map(([name, value]) => ` ${name}=${value}`).join('');
    lines.push(`${new Date().toISOString()} ${what}${said}`);
    if (lines.length > MOST_LINES) {
        lines.splice(0, lines.length - MOST_LINES);
    }
}

/** All of it, a line each, oldest first. */
export function callLog(): string {
    return lines.join('\n');
}
