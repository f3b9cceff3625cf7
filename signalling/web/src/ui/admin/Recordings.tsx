/** Recordings and transcripts that are being made: how long, how large, what is missing, how late. */
import {useEffect, useState, type ReactNode} from 'react';
import {describe} from '../../api/rest';
import {readJobs, type Job, type Jobs} from '../../app/admin';
import {number, say} from '../../words/words';
import {Refusal} from '../SignIn';
import {elapsed, size} from '../time';
import {Trouble} from './Trouble';

/** Often enough to see whether they go on. */
const LOOK_AGAIN_MS = 5000;

export function Recordings(): ReactNode {
    const [jobs, setJobs] = useState<Jobs | null>(null);
    const [refusal, setRefusal] = useState('');
    useEffect(() => {
        const load = (): void => {
            readJobs().then((read) => {
                setJobs(read);
                setRefusal('');
            }).catch((error: unknown) => setRefusal(describe(error)));
        };
        load();
        const timer = setInterval(load, LOOK_AGAIN_MS);
        return () => clearInterval(timer);
    }, []);
    return (
        <section data-testid="admin-recordings">
            <h3>{say('admin_jobs')}</h3>
            <Refusal text={refusal}/>
            {jobs && jobs.problem !== '' && <p><Trouble text={jobs.problem}/></p>}
            {jobs && jobs.problem === '' && <p className="muted" role="status">{say('admin_jobs_free', {size: size(jobs.freeBytes)})}{jobs.jobs.length === 0 && ` · ${say('admin_jobs_none')}`}</p>}
            <ul className="choices">
                {(jobs?.jobs ?? []).map((job) => (
                    <li key={job.id} className="choice row" data-testid="admin-job" data-phase={job.phase}>
                        <span className="grow">{say(job.isRecording ? 'admin_job_film' : 'admin_job_words')}{job.channelName !== '' && <> · <bdi>{job.channelName}</bdi></>}</span>
                        <span className="muted">{facts(job)}</span>
                    </li>
                ))}
            </ul>
        </section>
    );
}

function facts(job: Job): string {
    const told = [
        say(job.isPaused ? 'admin_job_paused' : job.phase === 'capturing' ? 'admin_job_runs' : 'admin_job_finishes'),
        elapsed(job.capturedMs),
        size(job.bytes),
        job.missing > 0 ? say('admin_job_missing', {count: number(job.missing)}) : '',
        job.pauses > 0 ? say('admin_job_pauses', {count: number(job.pauses)}) : '',
        job.workers > 1 ? say('admin_job_workers', {count: number(job.workers)}) : '',
        job.silentMs !== null ? say('admin_job_heard', {time: elapsed(job.silentMs)}) : '',
    ];
    return told.filter((text) => text !== '').join(' · ');
}
