/**
 * The nodes of a cluster as the server that is asked sees them, and how they are said. Pure.
 *
 * In: the answer of `GET /admin/nodes`. Out: rows and connections, and words for what is no number.
 */
import {isRecord} from '../peer/record';
import {say, type Key} from '../words/words';

/** How this server sees the others; what it knew stays while it is `blind`. */
export type Sight = 'alone' | 'joining' | 'clear' | 'blind';

export interface ClusterNode {
    id: string;
    /** The server that answers. */
    isHere: boolean;
    kind: string;
    /** `up`, `draining`, `stands by`, `suspect`, `left`, `silent`. */
    state: string;
    /** Epoch ms. */
    since: number;
    /** Of 1; `null` until it said so. */
    load: number | null;
    /** `null`: it carries none. */
    calls: number | null;
    sessions: number | null;
    /** What is wrong with it, in the server's words. */
    trouble: string;
    /** Both empty for a node that says nothing this version understands. */
    version: string;
    url: string;
}

export interface Connection {
    from: string;
    to: string;
    roundTripMs: number;
    /** Of 1. */
    lost: number;
}

export interface Nodes {
    sight: Sight;
    /** What is in the way of joining, in the server's words. */
    why: string;
    node: string;
    site: string;
    nodes: readonly ClusterNode[];
    /** Of nodes that are up. */
    connections: readonly Connection[];
}

const SIGHTS: Readonly<Record<Sight, Key>> = {
    alone: 'admin_nodes_alone',
    joining: 'admin_nodes_joining',
    clear: 'admin_nodes_clear',
    blind: 'admin_nodes_blind',
};

const KINDS: ReadonlyMap<string, Key> = new Map([
    ['media', 'admin_node_media'],
    ['signalling', 'admin_node_signalling'],
    ['offloader', 'admin_node_offloader'],
]);

const STATES: ReadonlyMap<string, Key> = new Map([
    ['up', 'admin_node_up'],
    ['draining', 'admin_node_draining'],
    ['stands by', 'admin_node_stands_by'],
    ['suspect', 'admin_node_suspect'],
    ['left', 'admin_node_left'],
    ['silent', 'admin_node_silent'],
]);

export function sightWords(sight: Sight): string {
    return say(SIGHTS[sight]);
}

/** What a node is there for. */
export function kindWords(kind: string): string {
    return say(KINDS.get(kind) ?? 'admin_node_unknown');
}

/** A state of a later version as it stands. */
export function stateWords(state: string): string {
    const known = STATES.get(state);
    return known ? say(known) : state;
}

/** `now` is epoch ms. */
export function parseNodes(answer: Readonly<Record<string, unknown>>, now: number): Nodes {
    const rows = Array.isArray(answer['nodes']) ? answer['nodes'].filter(isRecord) : [];
    const node = text(answer['node']);
    return {
        sight: sightOf(answer['sight']),
        why: text(answer['why']),
        node,
        site: text(answer['site']),
        nodes: rows.map((row) => parseNode(row, node, now)),
        connections: rows.filter((row) => row['state'] === 'up').flatMap(connectionsOf),
    };
}

function sightOf(sight: unknown): Sight {
    return sight === 'alone' || sight === 'clear' || sight === 'blind' ? sight : 'joining';
}

function parseNode(row: Readonly<Record<string, unknown>>, here: string, now: number): ClusterNode {
    const kind = text(row['kind']);
    const carries = kind === 'media' || kind === 'offloader';
    const carried = (key: string): number | null => (carries && typeof row[key] === 'number' ? row[key] : null);
    return {
        id: text(row['id']),
        isHere: row['id'] === here,
        kind,
        state: stateOf(row),
        since: now - count(row['since_ms']),
        load: typeof row['load'] === 'number' ? row['load'] / 1000 : null,
        calls: carried('calls'),
        sessions: carried('sessions'),
        trouble: text(row['why']),
        version: text(row['version']),
        url: text(row['url']),
    };
}

/** What it says of itself counts while it is heard. */
function stateOf(row: Readonly<Record<string, unknown>>): string {
    if (row['state'] !== 'up') {
        return text(row['state']);
    }
    return row['draining'] === true ? 'draining' : row['stands_by'] === true ? 'stands by' : 'up';
}

function connectionsOf(row: Readonly<Record<string, unknown>>): Connection[] {
    const links = Array.isArray(row['links']) ? row['links'].filter(isRecord) : [];
    return links.map((link) => ({
        from: text(row['id']),
        to: text(link['node']),
        roundTripMs: count(link['round_trip_us']) / 1000,
        lost: count(link['lost_ppm']) / 1_000_000,
    }));
}

function text(value: unknown): string {
    return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
    return typeof value === 'number' ? value : 0;
}
