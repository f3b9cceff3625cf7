/** A recording ends by itself at the server's limit: whoever records is told in time. Pure. */
import {isRunning, type Job} from './calls';

const TOLD_BEFORE_MS = 10 * 60_000;

/** Ms until the recording ends by itself, once that is near; null before, and without a limit. */
export function endsSoon(recording: Job | null, maxMinutes: number, now: number): number | null {
    if (recording === null || !isRunning(recording) || maxMinutes <= 0) {
        return null;
    }
    const left = recording.startAt + maxMinutes * 60_000 - now;
    return left <= TOLD_BEFORE_MS ? Math.max(0, left) : null;
}
