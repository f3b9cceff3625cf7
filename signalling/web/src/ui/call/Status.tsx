/** How the own call stands: the connection in words, and whether it is recorded. */
import type {ReactNode} from 'react';
import {useApp} from '../../state/app';
import {isPaused, isRunning, isStarting} from '../../state/calls';
import {say, type Key} from '../../words/words';
import {PauseIcon} from '../icons';
import {elapsed, useNow} from '../time';

const STATUS = {
    'joining': 'bar_joining',
    'connected': 'bar_connected',
    'reconnecting': 'bar_reconnecting',
    'media-interrupted': 'bar_interrupted',
    'rejoining': 'bar_rejoining',
    'closed': 'bar_left',
} as const satisfies Readonly<Record<string, Key>>;

export function ConnectionStatus(): ReactNode {
    const connection = useApp((state) => state.active?.connection ?? 'closed');
    const weak = useApp((state) => state.active?.weak ?? false);
    const online = useApp((state) => state.online);
    // The call's socket notices a silent server later than the page's: until then nothing is certain.
    const doubtful = connection === 'connected' && !online;
    const text = say(doubtful ? 'bar_reconnecting' : connection === 'connected' && weak ? 'bar_weak' : STATUS[connection]);
    return (
        <span className="status" role="status" data-testid="connection-status" data-state={connection} data-weak={weak} data-doubtful={doubtful} title={text}>
            <span className="dot"/><span className="status-text">{text}</span>
        </span>
    );
}

export function RecordingMark(): ReactNode {
    const recording = useApp((state) => (state.active ? state.calls[state.active.channelId]?.recording ?? null : null));
    const now = useNow(1000);
    if (isStarting(recording)) {
        return <span className="rec" data-testid="recording-mark" data-state="starting">{say('record_starts')}</span>;
    }
    if (!recording || !isRunning(recording)) {
        return null;
    }
    if (isPaused(recording)) {
        return <span className="rec" data-testid="recording-mark" data-state="paused" title={say('record_paused')}><PauseIcon/><span className="rec-text">{say('record_paused')}</span></span>;
    }
    return (
        <span className="rec" data-running="true" data-testid="recording-mark" data-state="running" title={say('record_mark')}>
            <span className="dot"/><span className="rec-text">{say('record_mark')}</span> <span className="tabular">{elapsed(now - recording.startAt)}</span>
        </span>
    );
}
