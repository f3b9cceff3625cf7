/** Whether the server is ready, what it keeps, and how much room is left. */
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {readHealth, readStorage, type Health, type Kept} from '../../app/admin';
import {useApp} from '../../state/app';
import {number, say} from '../../words/words';
import {Refusal} from '../SignIn';
import {size} from '../time';
import {Trouble} from './Trouble';

export function HealthReport(): ReactNode {
    const noCalls = useApp((state) => state.noCalls);
    const [health, setHealth] = useState<Health | null>(null);
    const [kept, setKept] = useState<Kept | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        const refused = (error: unknown): void => setRefusal(describe(error));
        readHealth().then(setHealth).catch(refused);
        readStorage().then(setKept).catch(refused);
    }, []);
    return (
        <>
            <Refusal text={refusal}/>
            {health && (
                <dl className="facts" data-testid="health" data-ready={health.ready}>
                    <dt>{say('admin_state')}</dt><dd>{say(health.ready ? 'admin_ready' : 'admin_not_ready')}</dd>
                    {health.troubles.map((trouble) => <dd key={trouble}><Trouble text={trouble}/></dd>)}
                    {!noCalls && <><dt>{say('admin_media')}</dt><dd>{say('admin_media_count', {connected: health.mediaConnected, all: health.mediaHosts})}</dd></>}
                    <dt>{say('admin_version')}</dt><dd><bdi>{health.version}</bdi></dd>
                </dl>
            )}
            {kept && (
                <dl className="facts" data-testid="storage" data-files={kept.files} data-free={kept.freeBytes ?? ''}>
                    <dt>{say('admin_storage')}</dt>
                    <dd>{say('admin_accounts', {count: kept.people})} · {say('admin_signed_in', {count: number(kept.sessions)})}</dd>
                    <dd>{say('admin_channel_count', {count: kept.channels})} · {say('admin_messages', {count: kept.messages})}</dd>
                    <dd>{say('admin_files', {count: kept.files, size: size(kept.fileBytes)})}</dd>
                    {kept.freeBytes !== null && <dd>{say('admin_jobs_free', {size: size(kept.freeBytes)})}</dd>}
                </dl>
            )}
        </>
    );
}
