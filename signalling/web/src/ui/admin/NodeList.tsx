/** The nodes of the cluster as this server sees them, and the connections between them: what `parley status` tells. */
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {readNodes} from '../../app/admin';
import {kindWords, sightWords, stateWords, type ClusterNode, type Connection, type Nodes} from '../../state/nodes';
import {troubleWords} from '../../state/troublewords';
import {currentLocale, listed, number, say} from '../../words/words';
import {Refusal} from '../SignIn';
import {lately} from '../time';

/** A dead node is known to the server after some seconds. */
const LOOK_AGAIN_MS = 5000;

export function NodeList(): ReactNode {
    const [seen, setSeen] = useState<Nodes | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        let timer: ReturnType<typeof setTimeout>;
        let wanted = true;
        const load = async (): Promise<void> => {
            const read = await readNodes().catch((error: unknown) => describe(error));
            if (!wanted) {
                return;
            }
            if (typeof read === 'string') {
                setRefusal(read);
            } else {
                setRefusal('');
                setSeen(read);
            }
            timer = setTimeout(() => void load(), LOOK_AGAIN_MS);
        };
        void load();
        return () => {
            wanted = false;
            clearTimeout(timer);
        };
    }, []);
    return (
        <div data-testid="nodes" data-sight={seen?.sight ?? ''}>
            <Refusal text={refusal}/>
            {/* Read aloud when they change, which figures do all the time: those are not in here. */}
            <p role="status" data-testid="nodes-sight">
                {seen && sightWords(seen.sight)}
                {seen?.sight === 'alone' && <> <code dir="ltr">cluster.papers</code></>}
            </p>
            <p role="status" className="nodes-silent" data-testid="nodes-silent">{silent(seen)}</p>
            {seen && seen.why !== '' && <p className="muted"><bdi lang="en" dir="ltr">{seen.why}</bdi></p>}
            {seen && seen.sight !== 'alone' && <p className="muted">{say('admin_nodes_here', {node: seen.node, site: seen.site})}</p>}
            {seen && seen.nodes.length > 0 && <NodeTable nodes={seen.nodes}/>}
            {seen && seen.connections.length > 0 && <Connections connections={seen.connections}/>}
        </div>
    );
}

function silent(seen: Nodes | null): string {
    const names = (seen?.nodes ?? []).filter(({state}) => state === 'silent').map(({id}) => id);
    return names.length > 0 ? say('admin_nodes_silent', {names: listed(names)}) : '';
}

function NodeTable({nodes}: {nodes: readonly ClusterNode[]}): ReactNode {
    const heads = [say('admin_node'), say('admin_node_kind'), say('admin_state'), say('admin_node_load'), say('admin_calls'), say('admin_node_sessions'), say('admin_node_since'), say('admin_version')];
    return (
        <Table heads={heads} label={say('admin_nodes')} rows={nodes.map((node) => ({
            key: node.id,
            testId: `node-${node.id}`,
            state: node.state,
            cells: [
                <>
                    <bdi>{node.id}</bdi> {node.isHere && <span className="tag">{say('admin_node_here')}</span>}
                    {node.url !== '' && <span className="muted"><bdi dir="ltr">{node.url}</bdi></span>}
                    {node.trouble !== '' && <span className="muted">{troubleWords(node.trouble) || <bdi lang="en" dir="ltr">{node.trouble}</bdi>}</span>}
                </>,
                kindWords(node.kind),
                stateWords(node.state),
                node.load === null ? NOTHING : share(node.load, 0),
                node.calls === null ? NOTHING : number(node.calls),
                node.sessions === null ? NOTHING : number(node.sessions),
                lately(node.since),
                <bdi>{node.version === '' ? NOTHING : node.version}</bdi>,
            ],
        }))}/>
    );
}

function Connections({connections}: {connections: readonly Connection[]}): ReactNode {
    return (
        <>
            <h3>{say('admin_links')}</h3>
            <Table heads={[say('admin_link_from'), say('admin_link_to'), say('admin_link_round_trip'), say('admin_link_lost')]} label={say('admin_links')} rows={connections.map(({from, to, roundTripMs, lost}) => ({
                key: `${from} ${to}`,
                testId: 'node-link',
                cells: [<bdi>{from}</bdi>, <bdi>{to}</bdi>, milliseconds(roundTripMs), share(lost, 1)],
            }))}/>
        </>
    );
}

interface Row {
    key: string;
    testId: string;
    state?: string;
    cells: readonly ReactNode[];
}

/** On a phone each row is a block, with the name of its column at each cell; the roles keep it a table there. */
function Table({label, heads, rows}: {label: string; heads: readonly string[]; rows: readonly Row[]}): ReactNode {
    return (
        <table role="table" className="nodes" aria-label={label}>
            <thead role="rowgroup"><tr role="row">{heads.map((head) => <th key={head} role="columnheader" scope="col">{head}</th>)}</tr></thead>
            <tbody role="rowgroup">
                {rows.map(({key, testId, state, cells}) => (
                    <tr key={key} role="row" data-testid={testId} data-state={state}>
                        {cells.map((cell, at) => (at === 0
                            ? <th key={at} role="rowheader" scope="row" data-head={heads[at]}>{cell}</th>
                            : <td key={at} role="cell" data-head={heads[at]}>{cell}</td>))}
                    </tr>
                ))}
            </tbody>
        </table>
    );
}

const NOTHING = '–';

/** `value` is of 1. */
function share(value: number, maximumFractionDigits: number): string {
    return new Intl.NumberFormat(currentLocale(), {style: 'percent', maximumFractionDigits}).format(value);
}

function milliseconds(ms: number): string {
    return new Intl.NumberFormat(currentLocale(), {style: 'unit', unit: 'millisecond', maximumFractionDigits: 1}).format(ms);
}
