/**
 * One request to the server this page came from: JSON in and out, refusals as errors.
 *
 * Sign-in is in the server's cookies; what changes something carries the token that shows that this
 * page sent it (CSRF).
 */
export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** The server refused; `id` is stable, `message` is for logs. */
export class ServerRefusal extends Error {
    constructor(readonly status: number, readonly id: string, message: string) {
        super(message);
        this.name = 'ServerRefusal';
    }
}

/**
 * What a request carries beside its body. Reading needs nothing, and must have nothing: a browser gives
 * what `index.html` let it ask for beforehand (`preload`) only to a request without headers of its own.
 */
export function headersFor(method: Method): Record<string, string> {
    if (method === 'GET') {
        return {};
    }
    const csrf = /(?:^|;\s*)MMCSRF=([^;]+)/.exec(document.cookie)?.[1];
    return {'X-Requested-With': 'XMLHttpRequest', ...(csrf ? {'X-CSRF-Token': csrf} : {})};
}

/** What a proxy says while no process of the server leads; one does a few seconds later. */
const PASSING: readonly number[] = [502, 503, 504];
/** Between questions that are asked again, in ms. */
const PAUSES: readonly number[] = [500, 1000, 2000, 4000];

/**
 * Resolves to the answer; rejects with `ServerRefusal`, or with `TypeError` when nobody answers. Whatever is only read
 * is asked for again while the refusal is one that passes: nobody else would do it, and the page would lack it.
 */
export async function request<T>(method: Method, path: string, body?: unknown, pauses = method === 'GET' ? PAUSES : []): Promise<T> {
    const answer = await fetch(path, {
        method,
        credentials: 'include',
        headers: {...headersFor(method), ...(body === undefined ? {} : {'Content-Type': 'application/json'})},
        ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    });
    const text = await answer.text();
    const [pause, ...later] = pauses;
    if (pause !== undefined && PASSING.includes(answer.status)) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        return request(method, path, body, later);
    }
    const data = parsed(text);
    if (!answer.ok) {
        throw refusalIn(answer.status, data);
    }
    return data as T;
}

/** What an answer that is no success says. */
export function refusalIn(status: number, data: unknown): ServerRefusal {
    const fields = (typeof data === 'object' && data !== null ? data : {}) as {id?: unknown; message?: unknown};
    const text = (value: unknown): string => (typeof value === 'string' ? value : '');
    return new ServerRefusal(status, text(fields.id), text(fields.message) || `the server answered ${status}`);
}

/** A path with a query of what is given. */
export function withQuery(path: string, query: Readonly<Record<string, string | number | boolean | undefined>>): string {
    const given = Object.entries(query).filter(([, value]) => value !== undefined).map(([key, value]) => [key, String(value)]);
    return `${path}?${new URLSearchParams(given).toString()}`;
}

/** JSON, or the text where it is none. */
export function parsed(text: string): unknown {
    try {
        return JSON.parse(text) as unknown;
    } catch {
        return text;
    }
}
