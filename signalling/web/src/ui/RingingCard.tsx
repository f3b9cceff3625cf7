/** A call that asks for this person: who calls, and the answer. Also where a part of the page fills the screen: nothing else is seen then. */
import {useEffect, useState, useSyncExternalStore, type ReactNode} from 'react';
import {createPortal} from 'react-dom';
import {noticePermission} from '../app/alerts';
import {acceptCall, askForNotices, declineCall, hush} from '../app/ringing';
import {patch, useApp} from '../state/app';
import {channelTitle, displayName} from '../state/chat';
import type {Ring} from '../state/ringing';
import {say} from '../words/words';
import {Avatar} from './Avatar';
import {BellIcon, LeaveIcon, PhoneIcon} from './icons';

export function RingingCard(): ReactNode {
    const ring = useApp((state) => state.ring);
    const filling = useSyncExternalStore(watchFullscreen, fullscreenPart);
    const card = ring && <Card key={ring.callId} ring={ring}/>;
    return filling ? createPortal(card, filling) : card;
}

/** Null where a film fills the screen: it shows nothing but itself. */
function fullscreenPart(): Element | null {
    return document.fullscreenElement instanceof HTMLVideoElement ? null : document.fullscreenElement;
}

function watchFullscreen(changed: () => void): () => void {
    document.addEventListener('fullscreenchange', changed);
    return () => document.removeEventListener('fullscreenchange', changed);
}

function Card({ring}: {ring: Ring}): ReactNode {
    const caller = useApp((state) => displayName(state.chat.users[ring.callerId]));
    const group = useApp((state) => {
        const channel = state.chat.channels[ring.channelId];
        return channel?.type === 'G' ? channelTitle(state.chat, channel) : '';
    });
    const busy = useApp((state) => state.active !== null);
    const notify = useApp((state) => state.alerts.notify);
    const [asks, setAsks] = useState(() => noticePermission() === 'default');
    useEffect(() => {
        const before = document.title;
        document.title = say('ring_notice_title', {name: caller});
        return () => {
            document.title = before;
        };
    }, [caller]);
    return (
        <section className="ring-card" role="alertdialog" aria-label={say('ring_label')} aria-describedby="ring-who" data-testid="incoming-call" data-sounding={ring.sounding}>
            <div className="ring-who">
                <span className="ring-face" data-sounding={ring.sounding}><Avatar name={caller} id={ring.callerId} size="large"/></span>
                <p className="grow" id="ring-who">
                    <strong><bdi>{caller}</bdi></strong>
                    <span className="muted">{group ? say('ring_calls_group', {group}) : say('ring_calls')}</span>
                    {busy && <span className="muted">{say('ring_busy')}</span>}
                </p>
                {ring.sounding && (
                    <button type="button" className="icon-button" aria-label={say('ring_hush')} title={say('ring_hush')} data-testid="ring-hush" onClick={hush}><BellIcon/></button>
                )}
            </div>
            <div className="ring-answers">
                <button type="button" className="decline" data-testid="ring-decline" onClick={() => void declineCall()}><LeaveIcon/>{say('ring_decline')}</button>
                <button type="button" className="primary" data-testid="ring-accept" onClick={() => void acceptCall()}><PhoneIcon/>{say('ring_accept')}</button>
            </div>
            <p className="ring-more">
                {asks && notify && (
                    <button type="button" className="link" data-testid="ring-notify" onClick={() => void askForNotices().finally(() => setAsks(false))}>{say('ring_ask_notices')}</button>
                )}
                <button type="button" className="link" onClick={() => patch({question: {kind: 'alerts'}})}>{say('ring_settings')}</button>
            </p>
        </section>
    );
}
