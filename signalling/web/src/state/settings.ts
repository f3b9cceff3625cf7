/**
 * What a person chose for calls on this device: sound, keys, captions. Remembered by the browser.
 *
 * In: what was stored, whatever it is. Out: settings that are whole. Pure, but for `settings`, the
 * store that the page shares.
 */
import {isRecord} from '../peer/record';
import {DEFAULT_KEYS, type Keys, readKeys} from './shortcuts';
import {Store, useStore} from './store';

export const CAPTION_SIZES = ['small', 'medium', 'large', 'huge'] as const;
export type CaptionSize = typeof CAPTION_SIZES[number];

export interface Device {
    /** Empty for what the browser takes by itself. */
    id: string;
    label: string;
}

export interface Settings {
    microphone: Device;
    speaker: Device;
    camera: Device;
    noiseSuppression: boolean;
    /** The key for the microphone opens it only while it is held. */
    pushToTalk: boolean;
    /** The microphone is listened to while the person is muted, for the hint that nobody hears them. */
    hearMuted: boolean;
    shortcutsOn: boolean;
    keys: Keys;
    captionSize: CaptionSize;
    /** Code of the language to read captions in; empty for as they are spoken. */
    captionLanguage: string;
    /** User to loudness, 0 to 1; who is missing is at 1. */
    volumes: Readonly<Record<string, number>>;
}

export const NO_DEVICE: Device = {id: '', label: ''};

export const DEFAULT_SETTINGS: Settings = {
    microphone: NO_DEVICE, speaker: NO_DEVICE, camera: NO_DEVICE, noiseSuppression: true, pushToTalk: false, hearMuted: true, shortcutsOn: true, keys: DEFAULT_KEYS,
    captionSize: 'medium', captionLanguage: '', volumes: {},
};

export const settings = new Store<Settings>(DEFAULT_SETTINGS);

export function useSettings<T>(pick: (settings: Settings) => T): T {
    return useStore(settings, pick);
}

/** Reads settings as they were stored, by this version of the page or another one. */
export function readSettings(stored: string | null): Settings {
    let value: unknown = null;
    try {
        value = JSON.parse(stored ?? 'null');
    } catch {
        // Not ours: as if nothing was stored.
    }
    const fields = isRecord(value) ? value : {};
    const flag = (key: 'noiseSuppression' | 'pushToTalk' | 'hearMuted' | 'shortcutsOn'): boolean => {
        const found = fields[key];
        return typeof found === 'boolean' ? found : DEFAULT_SETTINGS[key];
    };
    return {
        microphone: readDevice(fields['microphone']),
        speaker: readDevice(fields['speaker']),
        camera: readDevice(fields['camera']),
        noiseSuppression: flag('noiseSuppression'),
        pushToTalk: flag('pushToTalk'),
        hearMuted: flag('hearMuted'),
        shortcutsOn: flag('shortcutsOn'),
        keys: readKeys(fields['keys']),
        captionSize: CAPTION_SIZES.find((size) => size === fields['captionSize']) ?? DEFAULT_SETTINGS.captionSize,
        captionLanguage: typeof fields['captionLanguage'] === 'string' ? fields['captionLanguage'] : DEFAULT_SETTINGS.captionLanguage,
        volumes: readVolumes(fields['volumes']),
    };
}

export function volumeOf({volumes}: Settings, userId: string): number {
    return volumes[userId] ?? 1;
}

/** One at full loudness is forgotten, so that the list does not grow with everybody ever met. */
export function withVolume(now: Settings, userId: string, volume: number): Settings {
    const volumes: Record<string, number> = {...now.volumes};
    if (volume >= 1) {
        delete volumes[userId];
    } else {
        volumes[userId] = Math.max(0, volume);
    }
    return {...now, volumes};
}

function readDevice(value: unknown): Device {
    return isRecord(value) && typeof value['id'] === 'string' && typeof value['label'] === 'string'
        ? {id: value['id'], label: value['label']} : NO_DEVICE;
}

function readVolumes(value: unknown): Record<string, number> {
    const volumes: Record<string, number> = {};
    for (const [userId, volume] of isRecord(value) ? Object.entries(value) : []) {
        if (typeof volume === 'number' && volume >= 0 && volume < 1) {
            volumes[userId] = volume;
        }
    }
    return volumes;
}
