/** A short sound when somebody comes into the own call or goes out of it. */
import {store} from '../state/app';
import {playTone} from './tones';

/** In larger calls it would never be quiet. */
const MOST = 8;

export function soundMove(move: 'join' | 'leave', sessionId: unknown): void {
    const {active, alerts, calls} = store.get();
    const sessions = active ? Object.keys(calls[active.channelId]?.sessions ?? {}).length : 0;
    if (alerts.moves && active?.connection === 'connected' && sessionId !== active.sessionId && sessions <= MOST) {
        playTone(move);
    }
}
