/**
 * What the events of the own call do beyond its state: what passes by, notes, sounds, and the end of
 * the own session.
 */
import {problem} from '../peer/problems';
import type {ServerEvent} from '../peer/socket';
import {announce, store, updateActive} from '../state/app';
import {isPaused, isRunning, isStarting, type Job} from '../state/calls';
import {ownElsewhere} from '../state/ringing';
import {heardBefore} from '../state/roster';
import {logCall} from './calllog';
import {refreshConfig, takeCallsEvent} from './events';
import {soundMove} from './moves';
import {noteEvent} from './notes';
import {applySettings, media, ownClient, secondClient} from './own';
import {inPace} from './pace';
import {announceMove, showCaption, showReaction} from './passing';
import {say} from '../words/words';

/** Events that would leave no room in the log for others. */
const COMMON: readonly string[] = ['user_voice_on', 'user_voice_off', 'caption', 'signal'];

/** In the order in which they came. */
export function callEvent(event: ServerEvent): void {
    inPace(event.channelId, () => take(event));
}

function take({name, data, channelId}: ServerEvent): void {
    const {active} = store.get();
    if (!active) {
        return;
    }
    if (!COMMON.includes(name)) {
        logCall(`event ${name}`, {channel: channelId, session: String(data['session_id'] ?? '')});
    }
    const before = store.get().calls[channelId];
    takeCallsEvent(name, channelId, data);
    noteEvent(name, data, before?.hostId ?? '');
    announcePause(before?.recording ?? null, store.get().calls[channelId]?.recording ?? null);
    watchRecording(channelId);
    switch (name) {
    case 'caption':
        showCaption(data);
        break;
    case 'user_reacted':
        showReaction(data);
        break;
    case 'user_voice_on':
    case 'user_voice_off':
        updateActive((now) => ({...now, spoke: {...now.spoke, [String(data['session_id'] ?? '')]: Date.now()}}));
        break;
    case 'user_screen_off':
        media.dropScreen();
        break;
    case 'user_left':
        media.dropSender(String(data['session_id'] ?? ''));
        tellMove(data, 'leave');
        if (data['session_id'] === active.sessionId) {
            lostSession();
        }
        break;
    case 'user_joined':
        applySettings();
        tellMove(data, 'join');
        break;
    case 'call_state':
        updateActive((now) => ({...now, spoke: heardBefore(now.spoke, store.get().calls[channelId], Date.now())}));
        applySettings();
        checkStillIn();
        break;
    default:
        break;
    }
}

/** Not of who is in the call with another session as well: that one goes to another media host. */
function tellMove(data: ServerEvent['data'], move: 'join' | 'leave'): void {
    const {active, calls} = store.get();
    if (ownElsewhere(calls[active?.channelId ?? ''], String(data['user_id']), String(data['session_id'])).length === 0) {
        announceMove(data, move === 'join' ? 'call_told_joined' : 'call_told_left');
        soundMove(move, data['session_id']);
    }
}

/** Its outcome concerns only those who were there. */
function watchRecording(channelId: string): void {
    const recording = store.get().calls[channelId]?.recording ?? null;
    if (recording && (isRunning(recording) || isStarting(recording)) && store.get().active?.sawRecording !== recording.initAt) {
        updateActive((active) => ({...active, sawRecording: recording.initAt}));
        void refreshConfig(); // what is promised of a transcript must be true now
    }
}

function announcePause(before: Job | null, after: Job | null): void {
    if (isRunning(before) && isRunning(after) && isPaused(before) !== isPaused(after)) {
        announce(say(isPaused(after) ? 'record_paused' : 'record_resumed'));
    }
}

function checkStillIn(): void {
    const {active, calls} = store.get();
    const call = active ? calls[active.channelId] : undefined;
    if (!active || !call || active.connection !== 'connected') {
        return;
    }
    const own = call.sessions[active.sessionId];
    const client = ownClient();
    if (!own) {
        lostSession();
    } else if (client && own.unmuted === client.muted) {
        void client.setMuted(client.muted); // its server died before it heard of it
    }
}

/**
 * The server gave this session up (it or the media host was restarted, or away too long): join anew, at
 * once. Not while the person is in the call elsewhere: then it was most likely they who ended it from there.
 */
function lostSession(): void {
    const {active, calls, chat} = store.get();
    const elsewhere = ownElsewhere(calls[active?.channelId ?? ''], chat.me?.id ?? '', active?.sessionId ?? '').some((id) => id !== secondClient()?.sessionId);
    ownClient()?.abandon(problem(elsewhere ? 'moved' : 'media-lost'));
}
