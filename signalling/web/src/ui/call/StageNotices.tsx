/** What everybody in the call must know: that it is recorded, and what does not work. */
import type {ReactNode} from 'react';
import {Notes, TalkingMuted} from './Notes';
import {acknowledgeRecording, allowSound, dismissOutcome, dismissProblem, leaveCall} from '../../app/call';
import {useApp} from '../../state/app';
import {isRunning, type Job} from '../../state/calls';
import {CloseIcon} from '../icons';

export function StageNotices(): ReactNode {
    const problem = useApp((state) => state.active?.problem ?? null);
    const soundBlocked = useApp((state) => state.active?.soundBlocked ?? false);
    return (
        <div className="notices">
            <TalkingMuted/>
            <Notes/>
            <RecordingNotice/>
            <RecordingOutcome/>
            {soundBlocked && (
                <div className="notice" role="alert" data-testid="sound-blocked">
                    <p className="grow">The browser waits for a click before it plays the others’ voices.</p>
                    <button type="button" onClick={allowSound}>Play sound</button>
                </div>
            )}
            {problem && (
                <div className="notice danger" role="alert" data-testid="call-problem" data-code={problem.code}>
                    <p className="grow"><strong>{problem.title}</strong> {problem.advice}</p>
                    <button type="button" className="icon-button" aria-label="Dismiss" onClick={dismissProblem}><CloseIcon/></button>
                </div>
            )}
        </div>
    );
}

/** To everybody, once per recording: staying means agreeing. */
function RecordingNotice(): ReactNode {
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const seen = useApp((state) => state.active?.noticeSeen ?? 0);
    const isHost = useApp((state) => call !== undefined && call.hostId === state.chat.me?.id);
    const recording = call?.recording ?? null;
    if (!recording || !isRunning(recording) || seen === recording.startAt) {
        return null;
    }
    const transcribed = call?.transcription !== null && call?.transcription !== undefined && call.transcription.endAt === 0;
    const what = transcribed ? 'recorded and transcribed' : 'recorded';
    return (
        <div className="notice consent" role="alertdialog" aria-label="Recording" aria-describedby="recording-text" data-testid="recording-notice" data-host={isHost}>
            <p className="grow" id="recording-text">
                {isHost
                    ? <><strong>You are recording this call.</strong> Everybody has been told that it is {what}. The result appears in the call’s thread.</>
                    : <><strong>This call is being {what}.</strong> By staying you agree. The result appears in the call’s thread, for everybody in this channel.</>}
            </p>
            <div className="notice-actions">
                <button type="button" className="primary" data-testid="recording-understood" onClick={() => acknowledgeRecording(recording.startAt)}>Understood</button>
                {!isHost && <button type="button" data-testid="recording-leave" onClick={leaveCall}>Leave call</button>}
            </div>
        </div>
    );
}

/** What became of the recording, to those who were there: it stopped, or a part of it failed and why. */
function RecordingOutcome(): ReactNode {
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const saw = useApp((state) => state.active?.sawRecording ?? 0);
    const dismissed = useApp((state) => state.active?.outcomeSeen ?? 0);
    const recording = call?.recording ?? null;
    if (!call || !recording || recording.initAt !== saw || dismissed === saw) {
        return null;
    }
    const faults = [
        fault('The recording failed.', recording),
        fault('There will be no transcript.', call.transcription),
        fault('There are no live captions.', call.captions),
    ].filter((text) => text !== '');
    if (faults.length === 0 && recording.endAt === 0) {
        return null;
    }
    return (
        <div className={faults.length > 0 ? 'notice danger' : 'notice'} role="status" data-testid="recording-outcome">
            <p className="grow">
                {faults.length > 0 ? faults.join(' ') : 'The recording has stopped. It appears in the call’s thread when it is ready.'}
            </p>
            <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => dismissOutcome(saw)}><CloseIcon/></button>
        </div>
    );
}

function fault(what: string, job: Job | null): string {
    return job?.error ? `${what} The server says: ${job.error}.` : '';
}
