/** The screen somebody shares, as large as there is room; for the sharer, what others see of it. */
import {useEffect, useRef, type ReactNode} from 'react';
import {setScreenHint, toggleScreen} from '../../app/incall';
import {canPopOut, endPopOut, popOut} from '../../app/popout';
import {useApp} from '../../state/app';
import {displayName} from '../../state/chat';
import {useSettings} from '../../state/settings';
import {ariaKeys, labelOf} from '../../state/shortcuts';
import {FIT, zoomed} from '../../state/zoom';
import {say} from '../../words/words';
import {FitIcon, FullIcon, PopOutIcon, ScreenIcon, ScreenStopIcon, ZoomInIcon, ZoomOutIcon} from '../icons';
import {leaveFullscreen, toggleFullscreen} from './fullscreen';
import {onMac} from './shortcuts';
import {STEP, useZoom} from './zooming';

export function ScreenView(): ReactNode {
    const remote = useApp((state) => state.active?.remoteScreen ?? null);
    const own = useApp((state) => state.active?.ownScreen ?? null);
    const sharer = useApp((state) => {
        const call = state.active ? state.calls[state.active.channelId] : undefined;
        const session = call?.sessions[call.screenSessionId];
        return session ? displayName(state.chat.users[session.userId]) : '';
    });
    if (own) {
        return <OwnScreen/>;
    }
    if (remote) {
        return <Screen stream={remote} sharer={sharer}/>;
    }
    return sharer === '' ? null : <p className="muted center" role="status">{say('screen_coming', {name: sharer})}</p>;
}

function OwnScreen(): ReactNode {
    const hint = useApp((state) => state.share.hint);
    return (
        <div className="own-screen" data-testid="own-screen">
            <ScreenIcon/>
            <p className="grow">{say('screen_own')}</p>
            <label className="own-hint">
                {say('screen_hint')}
                <select data-testid="screen-hint" value={hint} onChange={(event) => setScreenHint(event.target.value === 'motion' ? 'motion' : 'detail')}>
                    <option value="detail">{say('screen_detail')}</option>
                    <option value="motion">{say('screen_motion')}</option>
                </select>
            </label>
            <button type="button" onClick={() => void toggleScreen()}><ScreenStopIcon/>{say('screen_stop')}</button>
        </div>
    );
}

function Screen({stream, sharer}: {stream: MediaStream; sharer: string}): ReactNode {
    const video = useRef<HTMLVideoElement>(null);
    const figure = useRef<HTMLElement>(null);
    const frame = useRef<HTMLDivElement>(null);
    const {zoom, setZoom, handlers} = useZoom(frame);
    const fullKey = useSettings((settings) => (settings.shortcutsOn ? settings.keys.fullscreen : ''));
    useEffect(() => {
        const element = video.current;
        if (element) {
            element.srcObject = stream;
            element.play().catch(() => undefined);
        }
        return () => {
            if (element) {
                element.srcObject = null;
            }
        };
    }, [stream]);
    useEffect(() => () => leaveFullscreen(), []);
    const name = sharer ? say('screen_of', {name: sharer}) : say('screen_shared');
    return (
        <figure className="screen" ref={figure}>
            <div
                className="screen-frame" ref={frame} tabIndex={0} role="group" aria-label={say('screen_frame', {name})} data-zoomed={zoom.scale > 1}
                data-testid="screen-frame" data-scale={zoom.scale} onDoubleClick={() => toggleFullscreen(figure.current)} {...handlers}
            >
                <video
                    ref={video} autoPlay muted playsInline aria-label={name} data-testid="screen-video"
                    style={{transform: `translate(${zoom.x * 100}%, ${zoom.y * 100}%) scale(${zoom.scale})`}}
                />
            </div>
            <figcaption>
                <span className="grow ellipsis" title={name}>{name}</span>
                <Tool label={say('screen_smaller')} testId="screen-zoom-out" icon={<ZoomOutIcon/>} disabled={zoom.scale <= 1} onClick={() => setZoom(zoomed(zoom, 1 / STEP))}/>
                <Tool label={say('screen_fit')} testId="screen-fit" icon={<FitIcon/>} disabled={zoom.scale <= 1} onClick={() => setZoom(FIT)}/>
                <Tool label={say('screen_larger')} testId="screen-zoom-in" icon={<ZoomInIcon/>} onClick={() => setZoom(zoomed(zoom, STEP))}/>
                <PopOut stream={stream}/>
                <Tool label={say('screen_full')} testId="screen-full" icon={<FullIcon/>} shortcut={fullKey} onClick={() => toggleFullscreen(figure.current)}/>
            </figcaption>
        </figure>
    );
}

function PopOut({stream}: {stream: MediaStream}): ReactNode {
    const shared = useApp((state) => state.active?.remoteScreen === stream);
    useEffect(() => (shared ? undefined : endPopOut), [shared]);
    return canPopOut()
        ? <Tool label={say('screen_window')} testId="screen-popout" icon={<PopOutIcon/>} onClick={() => void popOut(stream).catch(endPopOut)}/>
        : null;
}

interface ToolProps {
    label: string;
    testId: string;
    icon: ReactNode;
    onClick: () => void;
    disabled?: boolean;
    shortcut?: string;
}

function Tool({label, testId, icon, onClick, disabled, shortcut}: ToolProps): ReactNode {
    return (
        <button
            type="button" className="icon-button" aria-label={label} aria-keyshortcuts={shortcut ? ariaKeys(shortcut, onMac()) : undefined}
            title={shortcut ? say('call_hint_with_key', {hint: label, key: labelOf(shortcut, onMac())}) : label}
            aria-disabled={disabled} data-testid={testId} onClick={disabled ? undefined : onClick}
        >{icon}</button>
    );
}
