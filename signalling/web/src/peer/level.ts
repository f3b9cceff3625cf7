/**
 * How loud a microphone is, ten times a second, muted or not.
 *
 * Listens to a copy of the track, so that muting, which silences the track itself, does not silence
 * the meter. Nothing of it leaves the page.
 * Invariant: after `stop` nothing is reported and the copy is released.
 */

const LOOK_EVERY_MS = 100;

export class LevelMeter {
    private readonly context: AudioContext;
    private readonly copy: MediaStream;
    private readonly timer: ReturnType<typeof setInterval>;

    /** `report`: the level as a root mean square, 0 to 1. */
    constructor(stream: MediaStream, report: (level: number) => void) {
        this.copy = new MediaStream(stream.getAudioTracks().map((track) => {
            const copy = track.clone();
            copy.enabled = true;
            return copy;
        }));
        this.context = new AudioContext();
        const analyser = this.context.createAnalyser();
        analyser.fftSize = 2048;
        this.context.createMediaStreamSource(this.copy).connect(analyser);
        const samples = new Float32Array(analyser.fftSize);
        this.timer = setInterval(() => {
            analyser.getFloatTimeDomainData(samples);
            report(rootMeanSquare(samples));
        }, LOOK_EVERY_MS);
    }

    stop(): void {
        clearInterval(this.timer);
        this.copy.getTracks().forEach((track) => track.stop());
        void this.context.close().catch(() => undefined);
    }
}

/** Tells speech from single noises: loud in most of the last half second. */
export class SpeechGate {
    private recent: boolean[] = [];

    hears(level: number): boolean {
        this.recent = [...this.recent.slice(1 - WINDOW), level > SPEECH_LEVEL];
        return this.recent.filter((loud) => loud).length >= NEEDED;
    }
}

const WINDOW = 6;
const NEEDED = 4;
/** Speech at arm's length is at 0.03 to 0.2, a quiet room below 0.005. */
const SPEECH_LEVEL = 0.02;

export function rootMeanSquare(samples: Float32Array): number {
    let sum = 0;
    for (const sample of samples) {
        sum += sample * sample;
    }
    return samples.length > 0 ? Math.sqrt(sum / samples.length) : 0;
}

/** 0 to 1 as the ear counts: -60 dB is nothing, 0 dB is full. */
export function meterShare(level: number): number {
    return level <= 0.001 ? 0 : Math.min(1, 1 + Math.log10(level) / 3);
}
