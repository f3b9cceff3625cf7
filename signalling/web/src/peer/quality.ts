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

/** How one person's sound arrives here, whichever of the ways on its path is to blame. */
export type SoundQuality = 'good' | 'gaps' | 'poor';

/** A share of lost or invented sound that attentive people notice, and one that costs words. */
const GAPS_FROM = 0.03;
const POOR_FROM = 0.12;
/** Half a second of speech: with less there is nothing to judge. */
const MIN_PACKETS = 25;

interface ReceiverCounters {
    received: number;
    lost: number;
    samples: number;
    /** Invented by the browser to bridge a hole; silence does not count. */
    invented: number;
}

/** Judges one receiver between two reports. */
export class ReceiverMeter {
    private before: ReceiverCounters | null = null;

    /** Null while nothing arrives: of a muted person there is nothing to say. */
    measure(report: Iterable<[string, unknown]>): SoundQuality | null {
        const now: ReceiverCounters = {received: 0, lost: 0, samples: 0, invented: 0};
        for (const [, value] of report) {
            const entry = asStats(value);
            if (entry.type === 'inbound-rtp' && entry.kind === 'audio') {
                now.received += entry.packetsReceived ?? 0;
                now.lost += entry.packetsLost ?? 0;
                now.samples += entry.totalSamplesReceived ?? 0;
                now.invented += Math.max(0, (entry.concealedSamples ?? 0) - (entry.silentConcealedSamples ?? 0));
            }
        }
        const before = this.before;
        this.before = now;
        const received = now.received - (before?.received ?? 0);
        if (!before || received < MIN_PACKETS) {
            return null;
        }
        const lost = Math.max(0, now.lost - before.lost);
        const samples = Math.max(1, now.samples - before.samples);
        const share = Math.max(lost / (lost + received), Math.max(0, now.invented - before.invented) / samples);
        return share >= POOR_FROM ? 'poor' : share >= GAPS_FROM ? 'gaps' : 'good';
    }
}

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
    totalSamplesReceived?: number;
    concealedSamples?: number;
    silentConcealedSamples?: number;
}

function asStats(value: unknown): AudioStats {
    return typeof value === 'object' && value !== null ? value : {};
}
