/**
 * The own call wherever its stage is not on the screen: microphone, leaving, what runs and is shown, who speaks.
 *
 * One row of controls that fits 320 CSS px; what everybody must know stands above it.
 */
import type {ReactNode} from 'react';
import {leaveCall} from '../../app/call';
import {showStage} from '../../app/stage';
import {endRecording, toggleCamera, toggleScreen} from '../../app/incall';
import {closeThread, openChannel} from '../../app/channels';
import {store, useApp} from '../../state/app';
import {isRunning, isStarting} from '../../state/calls';
import {channelTitle, displayName} from '../../state/chat';
import {say} from '../../words/words';
import {CameraIcon, LeaveIcon, ScreenIcon, ScreenStopIcon, StopIcon} from '../icons';
import {useViewport} from '../viewport';
import {ControlButton, MuteButton} from './Controls';
import {useShortcuts} from './shortcuts';
import {StageNotices} from './StageNotices';
import {ConnectionStatus, RecordingMark} from './Status';

export function CallBar(): ReactNode {
    useShortcuts();
    return (
        <section className="call-bar" aria-label={say('bar_label')} data-testid="call-bar">
            <StageNotices/>
            <div className="bar-row">
                <Return/>
                <span className="bar-marks"><ConnectionStatus/><RecordingMark/><SharingMark/></span>
                <span className="bar-controls">
                    <MuteButton/>
                    <StopSharing/>
                    <StopCamera/>
                    <StopRecording/>
                    <ControlButton label={say('bar_leave')} testId="leave-call" icon={<LeaveIcon/>} kind="danger" onClick={leaveCall}/>
                </span>
            </div>
        </section>
    );
}

function Return(): ReactNode {
    const channelId = useApp((state) => state.active?.channelId ?? '');
    const {narrow, short} = useViewport();
    const title = useApp((state) => {
        const channel = state.chat.channels[channelId];
        return channel ? channelTitle(state.chat, channel) : '';
    });
    const back = (): void => {
        if (narrow) {
            closeThread();
        }
        if (short) {
            showStage();
        }
        const {chat, view} = store.get();
        if (chat.channelId !== channelId || view === 'list') {
            void openChannel(channelId);
        }
    };
    const name = say('bar_call_in', {channel: title});
    return (
        <button type="button" className="grow bar-title" data-testid="return-to-call" title={name} onClick={back}>
            <strong className="ellipsis">{name}</strong>
            <Speaking/>
        </button>
    );
}

/** Who speaks now; the way back when nobody does. */
function Speaking(): ReactNode {
    const text = useApp((state) => {
        const call = state.active ? state.calls[state.active.channelId] : undefined;
        const others = Object.values(call?.sessions ?? {}).filter((session) => session.speaking && session.unmuted && session.sessionId !== state.active?.sessionId);
        const names = [...new Set(others.map(({userId}) => displayName(state.chat.users[userId])))];
        return names.length === 0 ? '' : say('bar_speaks', {count: names.length, name: names[0] ?? '', others: names.length - 1});
    });
    return (
        <span className="ellipsis muted" data-testid="bar-speaking" data-speaking={text !== ''}>{text === '' ? say('bar_return') : text}</span>
    );
}

/** Somebody else shows a screen. */
function SharingMark(): ReactNode {
    const name = useApp((state) => {
        const call = state.active ? state.calls[state.active.channelId] : undefined;
        const session = call?.screenSessionId === state.active?.sessionId ? undefined : call?.sessions[call.screenSessionId];
        return session ? displayName(state.chat.users[session.userId]) : '';
    });
    const text = name === '' ? '' : say('bar_shares', {name});
    return name === '' ? null : <span className="shares" role="status" data-testid="bar-sharing" title={text}><ScreenIcon/><span className="shares-text">{text}</span></span>;
}

/** The camera goes on showing the person wherever they are in the page. */
function StopCamera(): ReactNode {
    const on = useApp((state) => Boolean(state.active?.ownCamera));
    const busy = useApp((state) => state.active?.cameraBusy ?? false);
    return on
        ? <ControlButton label={say('call_camera_off')} testId="stop-camera" icon={<CameraIcon/>} kind="on" disabled={busy} onClick={() => void toggleCamera()}/>
        : null;
}

function StopSharing(): ReactNode {
    const sharing = useApp((state) => Boolean(state.active?.ownScreen));
    const busy = useApp((state) => state.active?.sharingBusy ?? false);
    return sharing
        ? <ControlButton label={say('screen_stop')} testId="stop-share" icon={<ScreenStopIcon/>} kind="alert" disabled={busy} onClick={() => void toggleScreen()}/>
        : null;
}

/** For the host, who alone may. */
function StopRecording(): ReactNode {
    const recording = useApp((state) => (state.active ? state.calls[state.active.channelId]?.recording ?? null : null));
    const isHost = useApp((state) => {
        const call = state.active ? state.calls[state.active.channelId] : undefined;
        return call !== undefined && call.hostId === state.chat.me?.id;
    });
    if (!isHost || (!isRunning(recording) && !isStarting(recording))) {
        return null;
    }
    return <ControlButton label={say('record_stop')} testId="record-stop" icon={<StopIcon/>} kind="alert" disabled={isStarting(recording)} onClick={() => void endRecording()}/>;
}
