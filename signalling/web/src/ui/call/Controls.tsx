/**
 * The buttons of the call. Each has a name, a state, and where it makes sense a key. On a phone they
 * stand in one row, and those that find no place there are behind *more*.
 *
 * A switch keeps its name and tells its state by `aria-pressed`; the microphone's is named after what
 * it does ("Unmute"), and what is written on a button is in its name.
 */
import {useLayoutEffect, useRef, useState, type ReactNode, type RefObject} from 'react';
import {leaveCall} from '../../app/call';
import {showDialog, toggleCaptions, togglePanel} from '../../app/stage';
import {beginRecording, endRecording, setRecordingPaused, toggleCamera, toggleHand, toggleMute, toggleScreen} from '../../app/incall';
import {endForEveryone} from '../../app/host';
import {patch, store, useApp} from '../../state/app';
import {isPaused, isRunning, isStarting} from '../../state/calls';
import {countFitting, placesIn} from '../../state/room';
import {mayHost} from '../../state/roster';
import {useSettings} from '../../state/settings';
import {speechLimits} from '../../state/speech';
import {ariaKeys, labelOf, type Action} from '../../state/shortcuts';
import {say} from '../../words/words';
import {
    CameraIcon, CameraOffIcon, CaptionsIcon, EndIcon, HandIcon, LeaveIcon, MicIcon, MicOffIcon, MoreIcon, PauseIcon, RecordIcon, ScreenIcon, ScreenStopIcon, StopIcon,
} from '../icons';
import {MenuButton} from './PersonMenu';
import {Popover, type Trigger} from './Popover';
import {ReactButton} from './Reactions';
import {ShareOptions} from './ShareOptions';
import {onMac} from './shortcuts';

/** As in the style sheets: there a button is its picture alone. */
const NARROW = '(max-width: 720px)';
/** Of the buttons that always stand in the row: *more* and *leave*. */
const FIXED_PLACES = 2;
/** So many are in the row on the narrowest screen, too. */
const LEAST_PLACES = 4;

export function Controls(): ReactNode {
    const row = useRef<HTMLDivElement>(null);
    const places = usePlaces(row);
    // The most needed first.
    const controls = [useMute(), useCamera(), useHand(), reacting, useScreen(), ...useRecord(), useCaptions(), useEnd()].filter((control) => control !== null);
    const fitting = countFitting(controls.map((control) => control.places ?? 1), Math.max(LEAST_PLACES, places - FIXED_PLACES));
    const [end, inRow] = [controls.slice(0, fitting).find(({testId}) => testId === 'end-call'), controls.slice(0, fitting).filter(({testId}) => testId !== 'end-call')];
    return (
        <div className="controls" role="group" aria-label={say('call_controls')} ref={row}>
            {inRow.map((control) => <Placed key={control.slot ?? control.testId} {...control}/>)}
            <MoreButton rest={controls.slice(fitting)}/>
            <LeaveButton/>
            {end && <EndButton {...end}/>}
        </div>
    );
}

/** How many places there are in the row; without end where it may wrap. */
function usePlaces(row: RefObject<HTMLDivElement | null>): number {
    const [places, setPlaces] = useState(Infinity);
    useLayoutEffect(() => {
        const element = row.current;
        if (!element) {
            return undefined;
        }
        const {paddingInlineStart, paddingInlineEnd} = getComputedStyle(element);
        const padding = parseFloat(paddingInlineStart) + parseFloat(paddingInlineEnd);
        const measure = (): void => setPlaces(matchMedia(NARROW).matches ? placesIn(element.clientWidth - padding) : Infinity);
        measure();
        const observer = new ResizeObserver(measure);
        observer.observe(element);
        return () => observer.disconnect();
    }, [row]);
    return places;
}

interface Control extends ButtonProps {
    /** 1 unless said otherwise. */
    places?: number;
    /** Set where a button gives way to another one in its place. */
    slot?: string;
    /** Behind *more*, instead of its name or of what it does to a switch. */
    inMenu?: string;
}

/** Opens a box of its own, for which it must stand in the row. */
const reacting: Control = {label: '', testId: 'react', icon: null};

function Placed(control: Control): ReactNode {
    const {places: _places, slot: _slot, inMenu: _menu, ...button} = control;
    if (control.testId === reacting.testId) {
        return <ReactButton/>;
    }
    return control.testId === 'share-screen' ? <div className="share-control"><ControlButton {...button}/><ShareOptions/></div> : <ControlButton {...button}/>;
}

interface ButtonProps {
    label: string;
    testId: string;
    icon: ReactNode;
    onClick?: () => void;
    pressed?: boolean;
    /** Of the microphone's button. */
    muted?: boolean;
    /** For a moment: it does nothing, and keeps the focus. */
    disabled?: boolean;
    kind?: 'danger' | 'alert' | 'on' | 'plain';
    /** Its key is shown and told. */
    action?: Action;
    hint?: string;
    /** Written on the button instead of its name. */
    caption?: string;
    /** It opens a popover. */
    trigger?: Trigger;
}

export function ControlButton({label, testId, icon, onClick, pressed, muted, disabled, kind = 'plain', action, hint, caption, trigger}: ButtonProps): ReactNode {
    const key = useSettings((settings) => (action && settings.shortcutsOn ? settings.keys[action] : ''));
    return (
        <button
            {...trigger} type="button" className="control" data-kind={kind} data-testid={testId} data-muted={muted} onClick={disabled ? undefined : onClick ?? trigger?.onClick}
            aria-disabled={disabled || undefined} aria-label={label} aria-pressed={pressed} aria-keyshortcuts={key === '' ? undefined : ariaKeys(key, onMac())}
            title={key === '' ? hint ?? label : say('call_hint_with_key', {hint: hint ?? label, key: labelOf(key, onMac())})}
        >
            {icon}<span className="control-label">{caption ?? label}</span>
        </button>
    );
}

export function MuteButton(): ReactNode {
    return <ControlButton {...useMute()}/>;
}

function useMute(): Control {
    const muted = useApp((state) => state.active?.muted ?? true);
    const unmuting = useApp((state) => state.active?.unmuting ?? false);
    const ready = useApp((state) => state.active?.connection !== 'joining' && state.active?.connection !== 'rejoining');
    const toTalk = useSettings((settings) => settings.pushToTalk && settings.shortcutsOn);
    const hint = unmuting ? say('call_mute_starting') : toTalk ? say('call_mute_hold') : muted ? say('call_mute_off_hint') : say('call_mute');
    return {
        label: muted ? say('call_unmute') : say('call_mute'), testId: 'mute', icon: muted ? <MicOffIcon/> : <MicIcon/>,
        muted, kind: muted ? 'alert' : 'on', disabled: !ready || unmuting, action: 'mute', hint, onClick: () => void toggleMute(),
    };
}

/** Between two people, where the server allows it: in larger calls nobody else's client would show it. */
function useCamera(): Control | null {
    const allowed = useApp(({active, callsConfig, chat}) => (callsConfig?.enableVideo ?? false) && chat.channels[active?.channelId ?? '']?.type === 'D');
    const on = useApp((state) => Boolean(state.active?.ownCamera));
    const busy = useApp((state) => state.active?.cameraBusy ?? false);
    const connected = useApp((state) => state.active?.connection === 'connected');
    return allowed ? {
        label: say('call_camera'), testId: 'camera-toggle', icon: on ? <CameraIcon/> : <CameraOffIcon/>, pressed: on, kind: on ? 'on' : 'plain', disabled: busy || !connected,
        hint: on ? say('call_camera_off') : say('call_camera_on'), onClick: () => void toggleCamera(),
    } : null;
}

function useHand(): Control {
    const raised = useApp((state) => {
        const {active} = state;
        return active ? (state.calls[active.channelId]?.sessions[active.sessionId]?.raisedHand ?? 0) > 0 : false;
    });
    return {
        label: say('call_hand'), testId: 'raise-hand', icon: <HandIcon/>, pressed: raised, kind: raised ? 'on' : 'plain', action: 'hand',
        hint: raised ? say('call_hand_lower') : say('call_hand_raise'), onClick: toggleHand,
    };
}

function useScreen(): Control | null {
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
        return {
            label: say('call_share_stop'), testId: 'stop-share', icon: <ScreenStopIcon/>, kind: 'on', pressed: true, action: 'share', disabled: busy,
            onClick: () => void toggleScreen(),
        };
    }
    return {
        label: say('call_share'), testId: 'share-screen', icon: <ScreenIcon/>, action: 'share', disabled: busy || taken || !connected,
        hint: taken ? say('call_share_taken') : say('call_share_hint'), onClick: () => void toggleScreen(), places: 2, // with its options
    };
}

/** Only for the host: the server refuses others. */
function useRecord(): Control[] {
    const allowed = useApp((state) => state.callsConfig?.enableRecordings ?? false);
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const isHost = useApp((state) => call !== undefined && call.hostId === state.chat.me?.id);
    const limits = useApp((state) => (state.callsConfig ? speechLimits(state.callsConfig) : ''));
    const [busy, setBusy] = useState(false);
    if (!allowed || !isHost || !call) {
        return [];
    }
    const starting = isStarting(call.recording);
    const running = isRunning(call.recording);
    const during = (change: Promise<void>): void => {
        setBusy(true);
        void change.finally(() => setBusy(false));
    };
    if (!running && !starting) {
        return [{
            label: say('call_record'), testId: 'record-start', icon: <RecordIcon/>, disabled: busy, hint: limits === '' ? say('call_record_hint') : `${say('call_record_hint')}. ${limits}`, onClick: () => during(beginRecording()),
        }];
    }
    const paused = isPaused(call.recording);
    const pause: Control = {
        label: say(paused ? 'record_resume' : 'record_pause'), caption: say(paused ? 'record_resume_short' : 'record_pause_short'), testId: paused ? 'record-resume' : 'record-pause',
        slot: 'record-pause', icon: paused ? <RecordIcon/> : <PauseIcon/>, disabled: busy, onClick: () => during(setRecordingPaused(!paused)),
    };
    const stop: Control = {
        label: running ? say('call_record_stop') : say('call_record_starting'), caption: say(running ? 'record_stop_short' : 'call_record_starting'), testId: 'record-stop',
        icon: <StopIcon/>, kind: 'alert', disabled: busy || starting, onClick: () => during(endRecording()),
    };
    return running ? [pause, stop] : [stop];
}

function useCaptions(): Control | null {
    const shown = useApp((state) => state.active?.showCaptions ?? false);
    const running = useApp((state) => {
        const {active} = state;
        return active !== null && (isRunning(state.calls[active.channelId]?.captions ?? null) || active.captions.length > 0);
    });
    if (!running) {
        return null;
    }
    return {
        label: say('call_captions'), testId: 'toggle-captions', icon: <CaptionsIcon/>, pressed: shown, kind: shown ? 'on' : 'plain', action: 'captions',
        hint: shown ? say('call_captions_hide') : say('call_captions_show'), onClick: toggleCaptions,
    };
}

/** What is needed seldom, and what found no place in the row. */
function MoreButton({rest}: {rest: readonly Control[]}): ReactNode {
    const hasSaid = useApp((state) => (state.active?.captionLog.length ?? 0) > 0);
    return (
        <Popover
            label={say('call_more')} testId="more-menu" className="person-actions"
            button={(trigger) => <ControlButton label={say('call_more')} testId="call-more" icon={<MoreIcon/>} trigger={trigger}/>}
        >
            {(close) => {
                const go = (act: () => void): void => {
                    close();
                    act();
                };
                return (
                    <>
                        {rest.map(({testId, label, hint, inMenu, pressed, disabled, kind, onClick}) => (
                            <MenuButton
                                key={testId} testId={testId} text={inMenu ?? (pressed === undefined ? label : hint ?? label)} disabled={disabled} danger={kind === 'danger'}
                                onClick={() => go(onClick ?? (() => undefined))}
                            />
                        ))}
                        <MenuButton testId="open-devices" text={say('call_devices')} onClick={() => go(() => showDialog('devices'))}/>
                        <MenuButton testId="open-shortcuts" text={say('call_keys')} onClick={() => go(() => showDialog('shortcuts'))}/>
                        <MenuButton testId="open-people" text={say('call_people')} onClick={() => go(() => togglePanel('people'))}/>
                        {hasSaid && <MenuButton testId="open-captions" text={say('call_said')} onClick={() => go(() => togglePanel('captions'))}/>}
                    </>
                );
            }}
        </Popover>
    );
}

function LeaveButton(): ReactNode {
    return <ControlButton label={say('call_leave')} testId="leave-call" icon={<LeaveIcon/>} kind="danger" action="leave" onClick={leaveCall}/>;
}

/** For hosts: the end for everybody, after a question. From the menu it is asked in the middle of the page. */
function useEnd(): Control | null {
    const hosts = useApp((state) => mayHost(state.active ? state.calls[state.active.channelId] : undefined, state.chat.me));
    const ask = (): void => {
        const {active} = store.get();
        if (active) {
            patch({question: {kind: 'end-call', channelId: active.channelId}});
        }
    };
    return hosts ? {label: say('call_end_short'), hint: say('call_end'), inMenu: say('call_end'), testId: 'end-call', icon: <EndIcon/>, onClick: ask} : null;
}

function EndButton({onClick: _ask, inMenu: _menu, ...end}: Control): ReactNode {
    return (
        <Popover label={say('call_end')} testId="end-question" className="person-actions" button={(trigger) => <ControlButton {...end} trigger={trigger}/>}>
            {(close) => (
                <>
                    <p className="menu-title">{say('call_end_question')}</p>
                    <MenuButton testId="end-confirm" text={say('call_end')} danger onClick={() => {
                        close();
                        void endForEveryone();
                    }}/>
                    <MenuButton testId="end-cancel" text={say('call_cancel')} onClick={close}/>
                </>
            )}
        </Popover>
    );
}
