/** The own call inside its channel: status, notices, screen, people, captions, controls. */
import {useEffect, useLayoutEffect, useRef, type ReactNode} from 'react';
import {togglePanel, toggleWide} from '../../app/stage';
import {openThread} from '../../app/channels';
import {useApp} from '../../state/app';
import {NarrowIcon, ThreadIcon, WideIcon} from '../icons';
import {say} from '../../words/words';
import {Later} from '../Later';
import {elapsed, useNow} from '../time';
import {Captions} from './Captions';
import {Controls} from './Controls';
import {CopyLink} from './CopyLink';
import {PeopleButton} from './PeopleButton';
import {Participants} from './Participants';
import {ReactionLines} from './Reactions';
import {ScreenView} from './ScreenView';
import {StageNotices} from './StageNotices';
import {ConnectionStatus, RecordingMark} from './Status';
import {useShortcuts} from './shortcuts';

export function CallStage(): ReactNode {
    const active = useApp((state) => state.active);
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const stage = useRef<HTMLElement>(null);
    useShortcuts();
    useEffect(() => {
        // The button that was pressed is gone: go on from the first control of the call.
        if (document.activeElement === document.body) {
            stage.current?.querySelector<HTMLElement>('[data-testid="mute"]')?.focus({preventScroll: true});
        }
    }, []);
    useLayoutEffect(() => {
        const element = stage.current;
        return () => {
            // The control that ended it goes with the stage: go on from where a call is begun.
            if (element?.contains(document.activeElement)) {
                requestAnimationFrame(() => {
                    if (document.activeElement === document.body) {
                        document.querySelector<HTMLElement>('[data-testid="start-call"], [data-testid="join-call"]')?.focus({preventScroll: true});
                    }
                });
            }
        };
    }, []);
    if (!active) {
        return null;
    }
    const {panel, wide} = active;
    // What appears must not move the controls away from under the hand: where they do not stand at the
    // lower end of the window, it comes below them.
    const above = wide || panel !== null;
    const threadId = call?.threadId || call?.postId || '';
    return (
        <section className="stage" ref={stage} aria-label={say('call_stage')} data-testid="call-stage" data-panel={active.panel ?? 'none'} data-screen={!active.ownScreen && active.remoteScreen !== null}>
            <div className="stage-head">
                <ConnectionStatus/>
                {call && <Elapsed since={call.startAt}/>}
                {call && <RecordingMark/>}
                <span className="grow"/>
                <PeopleButton/>
                <CopyLink channelId={active.channelId}/>
                <WideButton/>
                {threadId !== '' && (
                    <button type="button" className="icon-button" aria-label={say('call_thread_open')} title={say('call_thread')} data-testid="call-thread" onClick={() => void openThread(threadId)}>
                        <ThreadIcon/>
                    </button>
                )}
            </div>
            {above && <StageNotices/>}
            <ScreenView/>
            <Participants/>
            {panel && <Later onFail={() => togglePanel(panel)}>{({SidePanel}) => <SidePanel/>}</Later>}
            <ReactionLines/>
            <Captions/>
            <Controls/>
            {!above && <StageNotices/>}
        </section>
    );
}

function WideButton(): ReactNode {
    const wide = useApp((state) => state.active?.wide ?? false);
    const label = wide ? say('call_narrow') : say('call_wide');
    return (
        <button type="button" className="icon-button" aria-label={label} title={label} data-testid="toggle-wide" onClick={toggleWide}>
            {wide ? <NarrowIcon/> : <WideIcon/>}
        </button>
    );
}

function Elapsed({since}: {since: number}): ReactNode {
    const now = useNow(1000);
    return <span className="muted tabular" role="timer" aria-label={say('call_duration')}>{elapsed(now - since)}</span>;
}
