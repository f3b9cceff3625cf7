/**
 * The page's own sounds, made here so that nothing is fetched: ringing, the caller's tone, coming and going.
 *
 * Not here: the voices of others (`sound`). A browser that wants a click first stays silent.
 */

export type Tone = 'ring' | 'ringback' | 'join' | 'leave';

interface Note {
    hz: number;
    /** Seconds after the start of the round. */
    at: number;
    seconds: number;
    loudness: number;
}

interface Melody {
    notes: readonly Note[];
    /** Seconds of a round that is repeated; 0 for a sound that comes once. */
    round: number;
}

const MELODIES: Readonly<Record<Tone, Melody>> = {
    ring: {
        round: 3,
        notes: [
            {hz: 659.3, at: 0, seconds: 0.5, loudness: 0.16}, {hz: 880, at: 0.22, seconds: 0.5, loudness: 0.16},
            {hz: 659.3, at: 0.8, seconds: 0.5, loudness: 0.16}, {hz: 987.8, at: 1.02, seconds: 0.9, loudness: 0.16},
        ],
    },
    ringback: {round: 5, notes: [{hz: 425, at: 0, seconds: 1, loudness: 0.05}]},
    join: {round: 0, notes: [{hz: 587.3, at: 0, seconds: 0.16, loudness: 0.07}, {hz: 784, at: 0.11, seconds: 0.25, loudness: 0.07}]},
    leave: {round: 0, notes: [{hz: 587.3, at: 0, seconds: 0.16, loudness: 0.07}, {hz: 440, at: 0.11, seconds: 0.25, loudness: 0.07}]},
};

let context: AudioContext | null = null;

/** Plays until the returned function is called, or to its end. */
export function playTone(tone: Tone): () => void {
    const melody = MELODIES[tone];
    const sounding = new Set<OscillatorNode>();
    const play = (): void => {
        const speaker = open();
        if (speaker) {
            melody.notes.forEach((note) => sound(speaker, note, sounding));
        }
    };
    play();
    const timer = melody.round > 0 ? setInterval(play, melody.round * 1000) : null;
    return () => {
        if (timer) {
            clearInterval(timer);
        }
        sounding.forEach((oscillator) => oscillator.stop());
        sounding.clear();
    };
}

function open(): AudioContext | null {
    if (typeof AudioContext === 'undefined') {
        return null;
    }
    context ??= new AudioContext();
    if (context.state === 'suspended') {
        // Not kept for later: a sound that comes after its event misleads.
        void context.resume().catch(() => undefined);
    }
    return context;
}

function sound(speaker: AudioContext, {hz, at, seconds, loudness}: Note, sounding: Set<OscillatorNode>): void {
    const start = speaker.currentTime + at;
    const oscillator = speaker.createOscillator();
    const gain = speaker.createGain();
    oscillator.frequency.value = hz;
    gain.gain.setValueAtTime(0.0001, start);
    gain.gain.exponentialRampToValueAtTime(loudness, start + 0.02);
    gain.gain.setValueAtTime(loudness, start + seconds * 0.4);
    gain.gain.exponentialRampToValueAtTime(0.0001, start + seconds);
    oscillator.connect(gain).connect(speaker.destination);
    oscillator.start(start);
    oscillator.stop(start + seconds);
    sounding.add(oscillator);
    oscillator.onended = () => {
        sounding.delete(oscillator);
        gain.disconnect();
    };
}
