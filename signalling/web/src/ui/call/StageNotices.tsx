/** What everybody in the call must know: that it is recorded, that it rings elsewhere, and what does not work. */
import type {ReactNode} from 'react';
import {Notes, TalkingMuted} from './Notes';
import {leaveCall} from '../../app/call';
import {acknowledgeLimit, acknowledgeRecording, allowSound, dismissOutcome, dismissProblem} from '../../app/stage';
import {adviceOf, faultOf, isFailure, titleOf} from '../../state/advice';
import {useApp} from '../../state/app';
import {isRunning, isStarting, recordingFaults} from '../../state/calls';
import {channelTitle} from '../../state/chat';
import {endsSoon} from '../../state/recordlimit';
import {speechLimits, speechTold} from '../../state/speech';
import {tellsNow} from '../../state/trouble';
import {say} from '../../words/words';
import {CloseIcon} from '../icons';
import {useNow} from '../time';
import {Elsewhere} from './Elsewhere';

export function StageNotices(): ReactNode {
    // While the server is away that is told once, by the channel.
    const problem = useApp((state) => (state.active?.problem && tellsNow(state.online, state.active.problem.code) ? state.active.problem : null));
    const soundBlocked = useApp((state) => state.active?.soundBlocked ?? false);
    return (
        <div className="notices">
            <RecordingStarts/>
            <RecordingNotice/>
            <TalkingMuted/>
            <RecordingLimit/>
            <RecordingOutcome/>
            <Notes/>
            <Calling/>
            <OwnOther/>
            {soundBlocked && (
                <div className="notice" role="alert" data-testid="sound-blocked">
                    <p className="grow">{say('bar_sound_blocked')}</p>
                    <button type="button" onClick={allowSound}>{say('bar_play_sound')}</button>
                </div>
            )}
            {problem && (
                <div className="notice danger" role="alert" data-testid="call-problem" data-code={problem.code}>
                    <p className="grow"><strong>{titleOf(problem)}</strong> {adviceOf(problem)}</p>
                    <button type="button" className="icon-button" aria-label={say('bar_dismiss')} onClick={dismissProblem}><CloseIcon/></button>
                </div>
            )}
        </div>
    );
}

/** To whoever records, before anything is recorded: what will be written down of it. */
function RecordingStarts(): ReactNode {
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const isHost = useApp((state) => call !== undefined && call.hostId === state.chat.me?.id);
    const limits = useApp((state) => (state.callsConfig ? speechLimits(state.callsConfig) : ''));
    return isHost && isStarting(call?.recording ?? null) && limits !== '' ? <p className="notice" role="status" data-testid="recording-languages">{limits}</p> : null;
}

/** To everybody, once per recording: staying means agreeing. To whoever becomes its host, once more. */
function RecordingNotice(): ReactNode {
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const isHost = useApp((state) => call !== undefined && call.hostId === state.chat.me?.id);
    const seen = useApp(({active}) => (isHost ? active?.hostNoticeSeen : active?.noticeSeen) ?? 0);
    const config = useApp((state) => state.callsConfig);
    const recording = call?.recording ?? null;
    if (!call || !recording || !isRunning(recording) || seen === recording.startAt) {
        return null;
    }
    const {transcribed, text} = speechTold(call, config);
    const none = isHost && config !== null && !config.enableTranscriptions ? say('record_no_speech') : text;
    const told = isHost
        ? {title: say('record_you_record'), text: say(transcribed ? 'record_told_both' : 'record_told')}
        : {title: say(transcribed ? 'record_is_both' : 'record_is'), text: say('record_consent')};
    return (
        <div className="notice consent" role="alertdialog" aria-label={say('record_mark')} aria-describedby="recording-text" data-testid="recording-notice" data-host={isHost} data-transcribed={transcribed}>
            <p className="grow" id="recording-text">
                <strong>{told.title}</strong> {told.text}{none !== '' && <> <span data-testid="recording-speech">{none}</span></>}
            </p>
            <div className="notice-actions">
                <button type="button" className="primary" data-testid="recording-understood" onClick={() => acknowledgeRecording(recording.startAt, isHost)}>{say('record_understood')}</button>
                {!isHost && <button type="button" data-testid="recording-leave" onClick={leaveCall}>{say('record_leave')}</button>}
            </div>
        </div>
    );
}

/** To whoever records: it ends by itself soon. */
function RecordingLimit(): ReactNode {
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const isHost = useApp((state) => call !== undefined && call.hostId === state.chat.me?.id);
    const most = useApp((state) => state.callsConfig?.maxRecordingMinutes ?? 0);
    const seen = useApp((state) => state.active?.limitSeen ?? 0);
    const left = endsSoon(call?.recording ?? null, most, useNow(5000));
    const startAt = call?.recording?.startAt ?? 0;
    if (!isHost || left === null || seen === startAt) {
        return null;
    }
    const minutes = Math.ceil(left / 60_000);
    return (
        <div className="notice" role="status" data-testid="recording-limit" data-minutes={minutes}>
            <p className="grow">{say('record_ends_soon', {count: minutes})}</p>
            <button type="button" className="icon-button" aria-label={say('bar_dismiss')} onClick={() => acknowledgeLimit(startAt)}><CloseIcon/></button>
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
    const faults = recordingFaults(call);
    if (faults.length === 0 && recording.endAt === 0) {
        return null;
    }
    return (
        <div className={faults.some(isFailure) ? 'notice danger' : 'notice'} role="status" data-testid="recording-outcome">
            <p className="grow">
                {faults.length > 0 ? faults.map(faultOf).join(' ') : say('record_stopped')}
            </p>
            <button type="button" className="icon-button" aria-label={say('bar_dismiss')} onClick={() => dismissOutcome(saw)}><CloseIcon/></button>
        </div>
    );
}

/** To the caller: it rings at the others, or did for half a minute. */
function Calling(): ReactNode {
    const calling = useApp((state) => state.calling);
    const name = useApp((state) => {
        const channel = state.active ? state.chat.channels[state.active.channelId] : undefined;
        return channel ? channelTitle(state.chat, channel) : '';
    });
    if (!calling) {
        return null;
    }
    return (
        <div className="notice calm" role="status" data-testid="calling" data-state={calling}>
            <p className="grow">{say(calling === 'ringing' ? 'ring_calling' : 'ring_unanswered', {name})}</p>
        </div>
    );
}

/** The same person is in the call twice. */
function OwnOther(): ReactNode {
    const channelId = useApp((state) => state.active?.channelId ?? '');
    return <Elsewhere channelId={channelId}/>;
}
