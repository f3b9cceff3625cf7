/**
 * Microphones, cameras and speakers: which there are, which one is used, and what it hears.
 *
 * In: choices of the person, what the browser says about devices. Out: settings, notes in the call.
 * While one is muted, the microphone is listened to where the browser allowed it before, for a hint; it asks nobody.
 * Invariant: a device's name is known only after the browser allowed a microphone, so the lists are
 * asked for again whenever they are looked at.
 */
import {LevelMeter, SpeechGate} from '../peer/level';
import type {MicrophoneWish} from '../peer/media';
import {store, updateActive} from '../state/app';
import {NO_DEVICE, settings, type Device} from '../state/settings';
import {say} from '../words/words';
import {note} from './notes';
import {ownClient} from './own';
import {changeSettings} from './settings';
import {canChooseSpeaker, playOn} from './sound';

export interface Devices {
    microphones: readonly Device[];
    cameras: readonly Device[];
    /** Empty where the browser does not let a page choose. */
    speakers: readonly Device[];
}

const QUIET_AFTER_MS = 2500;

export async function listDevices(): Promise<Devices> {
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    const all = await devices?.enumerateDevices().catch(() => []) ?? [];
    const ofKind = (kind: MediaDeviceKind): Device[] => all
        // `default` and `communications` are other names for devices of the list.
        .filter((device) => device.kind === kind && !['', 'default', 'communications'].includes(device.deviceId))
        .map(({deviceId, label}) => ({id: deviceId, label}));
    return {microphones: ofKind('audioinput'), cameras: ofKind('videoinput'), speakers: canChooseSpeaker() ? ofKind('audiooutput') : []};
}

/** Calls `changed` whenever a device comes or goes; returns how to stop. */
export function watchDevices(changed: () => void): () => void {
    const devices = navigator.mediaDevices as MediaDevices | undefined;
    devices?.addEventListener('devicechange', changed);
    return () => devices?.removeEventListener('devicechange', changed);
}

export function microphoneWish(): MicrophoneWish {
    const {microphone, noiseSuppression} = settings.get();
    return {deviceId: microphone.id, noiseSuppression};
}

/** The microphone that was in use is not any more. */
export function fellBack(label: string): void {
    const {microphone} = settings.get();
    const lost = microphone.label;
    note('device', label === ''
        ? say('call_note_device_gone')
        : lost !== '' && lost !== label
            ? say('call_note_device_replaced', {lost, taken: label})
            : say('call_note_device_taken', {taken: label}));
}

/** The camera that was shown is not there any more, or another one is taken than was wished. */
export function cameraFellBack(label: string): void {
    note('device', label === '' ? say('call_note_camera_gone') : say('call_note_camera_taken', {taken: label}));
}

/** The speaker that was chosen is gone: sound goes where the browser sends it. */
export async function checkSpeaker(): Promise<void> {
    const {speaker} = settings.get();
    if (speaker.id === '') {
        return;
    }
    const {speakers} = await listDevices();
    if (speakers.length > 0 && !speakers.some(({id}) => id === speaker.id)) {
        changeSettings({speaker: NO_DEVICE});
        note('device', say('call_note_speaker_gone', {lost: speaker.label}));
    }
}

/** Two soft tones on the chosen speaker. Resolves when they have been played. */
export async function playTestSound(): Promise<void> {
    const context = new AudioContext();
    const out = context.createMediaStreamDestination();
    const element = new Audio();
    element.srcObject = out.stream;
    try {
        await playOn(element, settings.get().speaker.id);
        await element.play();
        const start = context.currentTime + 0.05;
        [523.25, 659.25].forEach((hz, at) => ring(context, out, hz, start + at * 0.35));
        await new Promise((resolve) => setTimeout(resolve, 1000));
    } finally {
        element.srcObject = null;
        await context.close().catch(() => undefined);
    }
}

function ring(context: AudioContext, out: AudioNode, hz: number, at: number): void {
    const tone = context.createOscillator();
    const loudness = context.createGain();
    tone.frequency.value = hz;
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(0.25, at + 0.03);
    loudness.gain.exponentialRampToValueAtTime(0.001, at + 0.5);
    tone.connect(loudness).connect(out);
    tone.start(at);
    tone.stop(at + 0.55);
}

/** The browser lets this page hear without asking the person. */
export async function mayHear(): Promise<boolean> {
    try {
        // Not every browser knows the name, and those that do not refuse it.
        return (await navigator.permissions.query({name: 'microphone'})).state === 'granted';
    } catch {
        return (await listDevices()).microphones.some(({label}) => label !== '');
    }
}

/** From now on the hint that one is muted works, also before the first unmute. */
export async function listenWhileMuted(): Promise<void> {
    const {hearMuted, pushToTalk} = settings.get();
    if (hearMuted && !pushToTalk && await mayHear() && store.get().active?.connection === 'connected') {
        await ownClient()?.listen();
    }
}

let meter: LevelMeter | null = null;
let quiet: ReturnType<typeof setTimeout> | undefined;

/** Watches the call's microphone for words that nobody hears; null when it is closed. */
export function watchMicrophone(stream: MediaStream | null): void {
    meter?.stop();
    meter = null;
    setTalkingMuted(false);
    if (!stream || !settings.get().hearMuted || typeof AudioContext === 'undefined') {
        return;
    }
    const gate = new SpeechGate();
    meter = new LevelMeter(stream, (level) => {
        const speaks = gate.hears(level);
        if (speaks && store.get().active?.muted && !settings.get().pushToTalk) {
            setTalkingMuted(true);
            clearTimeout(quiet);
            quiet = setTimeout(() => setTalkingMuted(false), QUIET_AFTER_MS);
        }
    });
}

export function setTalkingMuted(talkingMuted: boolean): void {
    updateActive((active) => (active.talkingMuted === talkingMuted ? active : {...active, talkingMuted}));
}
