/**
 * Rings for calls in direct and group messages, and lets the caller hear that it does.
 *
 * In: every change of the store. Out: the card (`store.ring`), sound, a notice outside of the page.
 * Invariants: at most one call rings; each call rings once; nothing sounds while in a call.
 * See: the Calls contract, 4.6.
 */
import {dismissRinging} from '../api/calls';
import {api} from '../api/rest';
import type {Alerts} from '../state/alerts';
import {patch, store} from '../state/app';
import {displayName} from '../state/chat';
import {RING_MS, incomingCalls, waitsForAnswer, type Incoming, type Surroundings} from '../state/ringing';
import {say} from '../words/words';
import {keepAlerts, noticePermission} from './alerts';
import {joinCall} from './call';
import {openChannel} from './channels';
import {takeCallsEvent} from './events';
import {needPeople} from './people';
import {playTone} from './tones';

const ONE_TAB_RINGS = 'parley.ring';

/** Calls that rang, or that the server says must not. */
const done = new Set<string>();
let considering = '';
let silence: (() => void) | null = null;
let notice: Notification | null = null;
let ringback: {callId: string; stop: () => void} | null = null;

/** From now on; the page calls it once. */
export function watchRinging(): void {
    store.watch(look);
}

export async function acceptCall(): Promise<void> {
    const {ring} = store.get();
    if (ring) {
        hush();
        void openChannel(ring.channelId);
        await joinCall(ring.channelId);
    }
}

/** Here and on the person's other devices. */
export async function declineCall(): Promise<void> {
    const {ring} = store.get();
    if (!ring) {
        return;
    }
    takeCallsEvent('user_dismissed_notification', ring.channelId, {callID: ring.callId});
    await dismissRinging(ring.channelId).catch((error: unknown) => console.warn('parley: the other devices go on ringing', error));
}

/** The card stays. */
export function hush(): void {
    silence?.();
    silence = null;
    const {ring} = store.get();
    if (ring?.sounding) {
        patch({ring: {...ring, sounding: false}});
    }
}

export function setAlerts(change: Partial<Alerts>): void {
    const alerts = {...store.get().alerts, ...change};
    keepAlerts(alerts);
    patch({alerts});
    if (!alerts.ring) {
        hush();
    }
}

/** Needs a click of the person: browsers ask only then. */
export async function askForNotices(): Promise<void> {
    const answer = noticePermission() === 'default' ? await Notification.requestPermission() : noticePermission();
    setAlerts({notify: answer === 'granted'});
}

function look(): void {
    const {ring, chat, calls, active, callsConfig} = store.get();
    const around: Surroundings = {myId: chat.me?.id ?? '', channels: chat.channels, calls, active};
    const incoming = callsConfig?.enableRinging && around.myId !== '' ? incomingCalls(around) : [];
    if (ring && !incoming.some(({callId}) => callId === ring.callId)) {
        stop();
        return; // the change of the store looks again
    }
    const next = incoming.find(({callId}) => !done.has(callId));
    if (!ring && next && considering === '') {
        considering = next.callId;
        void begin(next).finally(() => {
            considering = '';
            look();
        });
    }
    if (active && silence) {
        hush();
    }
    lookForAnswer(around);
}

async function begin(call: Incoming): Promise<void> {
    needPeople([call.callerId]);
    const quiet = await wantsQuiet(call.channelId);
    done.add(call.callId);
    const {calls, active, alerts} = store.get();
    if (quiet || calls[call.channelId]?.id !== call.callId || calls[call.channelId]?.dismissed) {
        return;
    }
    patch({ring: {...call, sounding: alerts.ring && !active}});
    if (alerts.ring && !active) {
        silence = ringOnce();
        setTimeout(() => store.get().ring?.callId === call.callId && hush(), RING_MS);
    }
    showNotice(call);
}

/** In one tab of this browser. */
function ringOnce(): () => void {
    const over = new AbortController();
    let quiet = (): void => undefined;
    const sound = async (): Promise<void> => {
        if (!over.signal.aborted) {
            quiet = playTone('ring');
            await new Promise((resolve) => over.signal.addEventListener('abort', resolve));
        }
    };
    // Absent on pages that are neither https nor localhost, whatever the type says.
    const locks = navigator.locks as LockManager | undefined;
    void (locks ? locks.request(ONE_TAB_RINGS, {ifAvailable: true}, (lock) => (lock ? sound() : undefined)) : sound());
    return () => {
        over.abort();
        quiet();
    };
}

/** Do not disturb, out of office, or the channel muted: as the server knows it. Rings when it does not say. */
async function wantsQuiet(channelId: string): Promise<boolean> {
    const myId = store.get().chat.me?.id ?? '';
    const [statuses, member] = await Promise.all([
        api.getStatusesByIds([myId]).catch(() => []),
        api.getMyChannelMember(channelId).catch(() => null),
    ]);
    return ['dnd', 'ooo'].includes(statuses[0]?.status ?? '') || member?.notify_props?.mark_unread === 'mention';
}

function showNotice(call: Incoming): void {
    const {alerts, chat} = store.get();
    if (!alerts.notify || noticePermission() !== 'granted' || document.hasFocus()) {
        return;
    }
    try {
        notice = new Notification(say('ring_notice_title', {name: displayName(chat.users[call.callerId])}), {
            body: say('ring_notice_body'), tag: call.callId, requireInteraction: true,
        });
        notice.onclick = () => {
            window.focus();
            notice?.close();
            void openChannel(call.channelId);
        };
    } catch {
        // Phones want a service worker for it: there the page's own card and sound remain.
    }
}

function stop(): void {
    hush();
    notice?.close();
    notice = null;
    patch({ring: null});
}

function lookForAnswer(around: Surroundings): void {
    const call = around.active ? around.calls[around.active.channelId] : undefined;
    const waits = call !== undefined && waitsForAnswer(around);
    if (ringback && (!waits || call.id !== ringback.callId)) {
        ringback.stop();
        ringback = null;
        patch({calling: null});
    }
    if (waits && !ringback && store.get().callsConfig?.enableRinging) {
        const {id: callId} = call;
        const quiet = store.get().alerts.ring ? playTone('ringback') : () => undefined;
        const timer = setTimeout(() => {
            quiet();
            patch({calling: 'unanswered'});
        }, RING_MS);
        ringback = {callId, stop: () => {
            clearTimeout(timer);
            quiet();
        }};
        patch({calling: 'ringing'});
    }
}
