/** What a person is asked before a call begins or ends by the way, and what may make itself heard. */
import {useEffect, useRef, useState, type ReactNode} from 'react';
import {noticePermission} from '../app/alerts';
import {joinCall, switchCall} from '../app/call';
import {endCallOf} from '../app/commands';
import {record} from '../app/incall';
import {askForNotices, setAlerts} from '../app/ringing';
import {signOut} from '../app/session';
import {patch, useApp, type Question} from '../state/app';
import {channelTitle} from '../state/chat';
import {speechDoubt} from '../state/speech';
import {say} from '../words/words';
import {CloseIcon} from './icons';
import {Later} from './Later';

export function Questions(): ReactNode {
    const question = useApp((state) => state.question);
    return question ? <Asked key={question.kind} question={question}/> : null;
}

function Asked({question}: {question: Question}): ReactNode {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        const opener = document.activeElement;
        dialog.current?.showModal();
        return () => {
            if (opener instanceof HTMLElement && opener.isConnected) {
                opener.focus();
            }
        };
    }, []);
    const title = useTitle(question);
    const close = (): void => dialog.current?.close();
    return (
        <dialog ref={dialog} className="card" aria-label={title} data-testid="question" data-kind={question.kind} onClose={() => patch({question: null})}>
            <div className="dialog-head">
                <h2>{title}</h2>
                <button type="button" className="icon-button" aria-label={say('bar_cancel')} onClick={close}><CloseIcon/></button>
            </div>
            <Content question={question} onDone={close}/>
        </dialog>
    );
}

function Content({question, onDone}: {question: Question; onDone: () => void}): ReactNode {
    const running = useApp((state) => {
        const channel = state.active ? state.chat.channels[state.active.channelId] : undefined;
        return channel ? channelTitle(state.chat, channel) : '';
    });
    const doubt = useApp((state) => (state.callsConfig ? speechDoubt(state.callsConfig) : ''));
    const after = (act: () => unknown): void => {
        onDone();
        act();
    };
    switch (question.kind) {
    case 'second-call':
        return (
            <Choice text={say('bar_second_text', {channel: running})} yes={say('bar_second_yes')} no={say('bar_second_no')}
                onYes={() => after(() => void switchCall(question.channelId))} onNo={onDone}/>
        );
    case 'sign-out':
        return <Choice text={say('bar_out_text', {channel: running})} yes={say('bar_out_yes')} no={say('bar_out_no')} onYes={() => after(() => void signOut())} onNo={onDone}/>;
    case 'lobby':
        return (
            <Later onFail={onDone}>
                {({Lobby}) => <Lobby channelId={question.channelId} onJoin={(unmuted) => after(() => void joinCall(question.channelId, unmuted))} onNo={onDone}/>}
            </Later>
        );
    case 'end-call':
        return <Choice text={say('call_end_question')} yes={say('call_end')} no={say('call_cancel')} onYes={() => after(() => void endCallOf(question.channelId))} onNo={onDone}/>;
    case 'record':
        return <Choice text={`${say('record_ask')} ${doubt}`} yes={say('record_ask_yes')} no={say('call_cancel')} onYes={() => after(() => void record(question.channelId))} onNo={onDone}/>;
    case 'alerts':
        return <AlertChoices/>;
    }
}

interface ChoiceProps {
    text: string;
    yes: string;
    no: string;
    onYes: () => void;
    onNo: () => void;
}

function Choice({text, yes, no, onYes, onNo}: ChoiceProps): ReactNode {
    return (
        <>
            <p>{text}</p>
            <div className="dialog-actions">
                <button type="button" data-testid="question-no" autoFocus onClick={onNo}>{no}</button>
                <button type="button" className="primary" data-testid="question-yes" onClick={onYes}>{yes}</button>
            </div>
        </>
    );
}

function AlertChoices(): ReactNode {
    const alerts = useApp((state) => state.alerts);
    const [permission, setPermission] = useState(noticePermission);
    const notices = (on: boolean): void => {
        if (on && permission === 'default') {
            void askForNotices().finally(() => setPermission(noticePermission()));
        } else {
            setAlerts({notify: on});
        }
    };
    return (
        <div className="alerts">
            <label className="check">
                <input type="checkbox" data-testid="alert-ring" checked={alerts.ring} onChange={(event) => setAlerts({ring: event.target.checked})}/>{say('ring_alert_ring')}
            </label>
            <label className="check">
                <input type="checkbox" data-testid="alert-notify" checked={alerts.notify && permission === 'granted'} disabled={permission === 'denied' || permission === 'unsupported'}
                    onChange={(event) => notices(event.target.checked)}/>{say('ring_alert_notify')}
            </label>
            {permission === 'denied' && <p className="hint">{say('ring_alert_denied')}</p>}
            {permission === 'unsupported' && <p className="hint">{say('ring_alert_unsupported')}</p>}
            <label className="check">
                <input type="checkbox" data-testid="alert-moves" checked={alerts.moves} onChange={(event) => setAlerts({moves: event.target.checked})}/>{say('ring_alert_moves')}
            </label>
        </div>
    );
}

function useTitle(question: Question): string {
    const channel = useApp((state) => {
        const found = 'channelId' in question ? state.chat.channels[question.channelId] : undefined;
        return found ? channelTitle(state.chat, found) : '';
    });
    switch (question.kind) {
    case 'second-call':
        return say('bar_second_title');
    case 'sign-out':
        return say('bar_out_title');
    case 'lobby':
    case 'end-call':
        return say('bar_call_in', {channel});
    case 'record':
        return say('call_record_hint');
    case 'alerts':
        return say('ring_alerts');
    }
}
