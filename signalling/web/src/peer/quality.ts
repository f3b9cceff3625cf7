/**
 * How good the connection is, from WebRTC statistics.
 *
 * In: two statistics reports. Out: loss, round trip, jitter over the time between, and an estimated
 * mean opinion score. See: ITU-T G.107 (E-model), simplified.
 */

export interface Quality {
    /** 0 to 1, the worse of both directions. */
    lossRate: number;
    /** Seconds. */
    roundTripTime: number;
    /** Seconds. */
    jitter: number;
}

/** Below this people notice; the client then says so. */
export const WEAK_SCORE = 3.5;

interface AudioCounters {
    packetsReceived: number;
    packetsLost: number;
}

export class QualityMeter {
    private before: AudioCounters | null = null;

    /** Null until two reports were seen. */
    measure(report: Iterable<[string, unknown]>): Quality | null {
        const now: AudioCounters = {packetsReceived: 0, packetsLost: 0};
        let jitter = 0;
        let roundTripTime = 0;
        let sendLoss = 0;
        for (const [, value] of report) {
            const entry = asStats(value);
            if (entry.type === 'inbound-rtp' && entry.kind === 'audio') {
                now.packetsReceived += entry.packetsReceived ?? 0;
                now.packetsLost += Math.max(0, entry.packetsLost ?? 0);
                jitter = Math.max(jitter, entry.jitter ?? 0);
            } else if (entry.type === 'remote-inbound-rtp' && entry.kind === 'audio') {
                sendLoss = Math.max(sendLoss, entry.fractionLost ?? 0);
                roundTripTime = Math.max(roundTripTime, entry.roundTripTime ?? 0);
            } else if (entry.type === 'candidate-pair' && entry.nominated) {
                roundTripTime = Math.max(roundTripTime, entry.currentRoundTripTime ?? 0);
            }
        }
        const before = this.before;
        this.before = now;
        if (!before) {
            return null;
        }
        const lost = Math.max(0, now.packetsLost - before.packetsLost);
        const received = Math.max(0, now.packetsReceived - before.packetsReceived);
        const receiveLoss = lost + received > 0 ? lost / (lost + received) : 0;
        return {lossRate: Math.max(sendLoss, receiveLoss), roundTripTime, jitter};
    }
}

/** 1 (bad) to 4.5. */
export function opinionScore({lossRate, roundTripTime, jitter}: Quality): number {
    const effective = (roundTripTime * 1000) / 2 + 2 * jitter * 1000 + 10;
    const delay = effective < 160 ? effective / 40 : (effective - 120) / 10;
    const rating = Math.min(100, Math.max(0, 93.2 - delay - 2.5 * lossRate * 100));
    return 1 + 0.035 * rating + 0.000007 * rating * (rating - 60) * (100 - rating);
}

interface AudioStats {
    type?: string;
    kind?: string;
    packetsReceived?: number;
    packetsLost?: number;
    jitter?: number;
    fractionLost?: number;
    roundTripTime?: number;
    currentRoundTripTime?: number;
    nominated?: boolean;
}

function asStats(value: unknown): AudioStats {
    return typeof value === 'object' && value !== null ? value : {};
}
