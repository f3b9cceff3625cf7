/**
 * The buttons of the call. Each has a name, a state, and where it makes sense a key.
 *
 * A switch keeps its name and tells its state by `aria-pressed`; what is written on it may be the
 * action instead ("Unmute").
 */
import {useState, type ReactNode} from 'react';
import {leaveCall, react, setRecording, toggleCaptions, toggleHand, toggleMute, toggleScreen} from '../../app/call';
import {useApp} from '../../state/app';
import {isRunning, isStarting} from '../../state/calls';
import {
    CaptionsIcon, HandIcon, LeaveIcon, MicIcon, MicOffIcon, RecordIcon, ScreenIcon, ScreenStopIcon, SmileIcon, StopIcon,
} from '../icons';

const REACTIONS = [
    {name: '+1', unified: '1f44d', literal: '👍', label: 'Thumbs up'},
    {name: 'clap', unified: '1f44f', literal: '👏', label: 'Applause'},
    {name: 'heart', unified: '2764-fe0f', literal: '❤️', label: 'Heart'},
    {name: 'joy', unified: '1f602', literal: '😂', label: 'Laughing'},
    {name: 'tada', unified: '1f389', literal: '🎉', label: 'Celebration'},
    {name: 'open_mouth', unified: '1f62e', literal: '😮', label: 'Surprised'},
] as const;

export function Controls(): ReactNode {
    const [reacting, setReacting] = useState(false);
    return (
        <div className="controls" role="group" aria-label="Call controls">
            <MuteButton/>
            <HandButton/>
            <div className="popover-anchor">
                <ControlButton label="React" testId="react" icon={<SmileIcon/>} expanded={reacting} onClick={() => setReacting(!reacting)}/>
                {reacting && <Reactions onDone={() => setReacting(false)}/>}
            </div>
            <ScreenButton/>
            <RecordButton/>
            <CaptionsButton/>
            <ControlButton label="Leave" testId="leave-call" icon={<LeaveIcon/>} kind="danger" onClick={leaveCall}/>
        </div>
    );
}

interface ButtonProps {
    label: string;
    testId: string;
    icon: ReactNode;
    onClick: () => void;
    pressed?: boolean;
    expanded?: boolean;
    disabled?: boolean;
    kind?: 'danger' | 'alert' | 'on' | 'plain';
    shortcut?: string;
    hint?: string;
    /** Written on the button instead of its name. */
    caption?: string;
}

export function ControlButton({label, testId, icon, onClick, pressed, expanded, disabled, kind = 'plain', shortcut, hint, caption}: ButtonProps): ReactNode {
    return (
        <button
            type="button" className="control" data-kind={kind} data-testid={testId} onClick={onClick} disabled={disabled}
            aria-label={label} aria-pressed={pressed} aria-expanded={expanded} aria-keyshortcuts={shortcut}
            title={`${hint ?? label}${shortcut ? ` (${shortcut})` : ''}`}
        >
            {icon}<span className="control-label">{caption ?? label}</span>
        </button>
    );
}

export function MuteButton(): ReactNode {
    const muted = useApp((state) => state.active?.muted ?? true);
    const unmuting = useApp((state) => state.active?.unmuting ?? false);
    const ready = useApp((state) => state.active?.connection !== 'joining' && state.active?.connection !== 'rejoining');
    return (
        <ControlButton
            label="Mute" caption={muted ? 'Unmute' : 'Mute'} testId="mute" icon={muted ? <MicOffIcon/> : <MicIcon/>} pressed={muted} kind={muted ? 'alert' : 'on'}
            disabled={!ready || unmuting} shortcut="M" hint={unmuting ? 'Starting the microphone…' : muted ? 'You are muted. Unmute' : 'Mute'}
            onClick={() => void toggleMute()}
        />
    );
}

function HandButton(): ReactNode {
    const raised = useApp((state) => {
        const {active} = state;
        return active ? (state.calls[active.channelId]?.sessions[active.sessionId]?.raisedHand ?? 0) > 0 : false;
    });
    return (
        <ControlButton
            label="Raise hand" testId="raise-hand" icon={<HandIcon/>} pressed={raised} kind={raised ? 'on' : 'plain'} shortcut="H"
            hint={raised ? 'Lower your hand' : 'Raise your hand'} onClick={toggleHand}
        />
    );
}

function ScreenButton(): ReactNode {
    const allowed = useApp((state) => state.callsConfig?.allowScreenSharing ?? false);
    const sharing = useApp((state) => Boolean(state.active?.ownScreen));
    const busy = useApp((state) => state.active?.sharingBusy ?? false);
    const connected = useApp((state) => state.active?.connection === 'connected');
    const taken = useApp((state) => {
        const {active} = state;
        const sharer = active ? state.calls[active.channelId]?.screenSessionId ?? '' : '';
        return sharer !== '' && sharer !== active?.sessionId;
    });
    // Phones cannot share: no button that only refuses.
    if (!allowed || !('mediaDevices' in navigator) || !('getDisplayMedia' in navigator.mediaDevices)) {
        return null;
    }
    if (sharing) {
        return (
            <ControlButton label="Stop sharing" testId="stop-share" icon={<ScreenStopIcon/>} kind="on" pressed shortcut="S" disabled={busy}
                onClick={() => void toggleScreen()}/>
        );
    }
    return (
        <ControlButton label="Share screen" testId="share-screen" icon={<ScreenIcon/>} shortcut="S" disabled={busy || taken || !connected}
            hint={taken ? 'Somebody else is sharing' : 'Share your screen'} onClick={() => void toggleScreen()}/>
    );
}

/** Only for the host: the server refuses others. */
function RecordButton(): ReactNode {
    const allowed = useApp((state) => state.callsConfig?.enableRecordings ?? false);
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const isHost = useApp((state) => call !== undefined && call.hostId === state.chat.me?.id);
    const [busy, setBusy] = useState(false);
    if (!allowed || !isHost || !call) {
        return null;
    }
    const starting = isStarting(call.recording);
    const running = isRunning(call.recording);
    const set = (on: boolean): void => {
        setBusy(true);
        void setRecording(on).finally(() => setBusy(false));
    };
    if (running || starting) {
        return <ControlButton label={running ? 'Stop recording' : 'Starting…'} testId="record-stop" icon={<StopIcon/>} kind="alert" disabled={busy || starting} onClick={() => set(false)}/>;
    }
    return <ControlButton label="Record" testId="record-start" icon={<RecordIcon/>} disabled={busy} hint="Record this call" onClick={() => set(true)}/>;
}

function CaptionsButton(): ReactNode {
    const shown = useApp((state) => state.active?.showCaptions ?? false);
    const running = useApp((state) => {
        const {active} = state;
        return active !== null && (isRunning(state.calls[active.channelId]?.captions ?? null) || active.captions.length > 0);
    });
    if (!running) {
        return null;
    }
    return (
        <ControlButton label="Captions" testId="toggle-captions" icon={<CaptionsIcon/>} pressed={shown} kind={shown ? 'on' : 'plain'} shortcut="C"
            hint={shown ? 'Hide captions' : 'Show captions'} onClick={toggleCaptions}/>
    );
}

function Reactions({onDone}: {onDone: () => void}): ReactNode {
    return (
        <div className="popover" role="group" aria-label="Reactions" onKeyDown={(event) => {
            if (event.key === 'Escape') {
                onDone();
            }
        }}>
            {REACTIONS.map(({name, unified, literal, label}, index) => (
                <button
                    key={name} type="button" className="emoji" aria-label={label} title={label} data-testid={`react-${name}`} autoFocus={index === 0}
                    onClick={() => {
                        react(name, unified, literal);
                        onDone();
                    }}
                >
                    {literal}
                </button>
            ))}
        </div>
    );
}
