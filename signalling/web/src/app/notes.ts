/** Tells the person what a host or a device did to them, and everybody who the host is now. */
import {announce, store, updateActive} from '../state/app';
import {withNote, withoutNote, type Note} from '../state/active';
import {displayName} from '../state/chat';
import {say} from '../words/words';

/** News that asks nothing of anybody goes by itself. */
const NEWS_MS = 15_000;

let nextNote = 1;

export function note(kind: Note['kind'], text: string): void {
    const id = nextNote++;
    updateActive((active) => withNote(active, {id, kind, text}));
    announce(text);
    if (kind === 'host-changed') {
        setTimeout(() => dismissNote(id), NEWS_MS);
    }
}

export function dismissNote(id: number): void {
    updateActive((active) => withoutNote(active, id));
}

/** `hostBefore`: who was the host before the event was applied; empty when nobody was. */
export function noteEvent(name: string, data: Readonly<Record<string, unknown>>, hostBefore: string): void {
    const {active, chat} = store.get();
    if (!active) {
        return;
    }
    const meant = data['session_id'] === active.sessionId;
    switch (name) {
    case 'host_mute':
        if (meant) {
            note('muted', say('call_note_muted'));
        }
        break;
    case 'host_screen_off':
        if (meant) {
            note('screen-stopped', say('call_note_screen'));
        }
        break;
    case 'host_lower_hand':
        if (meant) {
            note('hand-lowered', say('call_note_hand', {name: nameOf(data['host_id'])}));
        }
        break;
    case 'call_host_changed': {
        const hostId = data['hostID'];
        if (hostBefore !== '' && typeof hostId === 'string' && hostId !== '' && hostId !== hostBefore) {
            note('host-changed', hostId === chat.me?.id ? say('call_note_host_me') : say('call_note_host', {name: nameOf(hostId)}));
        }
        break;
    }
    case 'host_removed':
        if (!meant) {
            announce(say('call_told_removed', {name: nameOf(data['user_id'])}));
        }
        break;
    default:
        break;
    }
}

function nameOf(userId: unknown): string {
    return displayName(store.get().chat.users[String(userId)]);
}
