/**
 * Captures the microphone, the camera and the screen; refusals become a `CallError` that says what to do.
 *
 * Not here: publishing (`connection`).
 */
import {CallError, problem} from './problems';

/** Simulcast layers of a screen: both full size (text must stay readable), told apart by rate. */
const SCREEN_LAYERS: RTCRtpEncodingParameters[] = [
    {rid: 'l', maxBitrate: 500_000, maxFramerate: 5, scaleResolutionDownBy: 1},
    {rid: 'h', maxBitrate: 2_500_000, maxFramerate: 20, scaleResolutionDownBy: 1},
];
const SCREEN_SINGLE: RTCRtpEncodingParameters[] = [{maxBitrate: 1_000_000, maxFramerate: 10}];

/** The wished device is not there: another one may be. */
const GONE = ['NotFoundError', 'OverconstrainedError', 'NotReadableError'];

export interface MicrophoneWish {
    /** Empty for what the browser takes by itself. */
    deviceId: string;
    noiseSuppression: boolean;
}

export interface Microphone {
    stream: MediaStream;
    /** The wished device was not there; another one was taken. */
    fellBack: boolean;
}

export async function captureMicrophone({deviceId, noiseSuppression}: MicrophoneWish): Promise<Microphone> {
    const devices = mediaDevices();
    if (!devices) {
        throw new CallError(problem('insecure-page'));
    }
    const capture = (chosen: MediaTrackConstraints): Promise<MediaStream> => devices.getUserMedia({
        audio: {autoGainControl: true, echoCancellation: true, noiseSuppression, ...chosen},
    });
    try {
        if (deviceId === '') {
            return {stream: await capture({}), fellBack: false};
        }
        try {
            return {stream: await capture({deviceId: {exact: deviceId}}), fellBack: false};
        } catch (error) {
            if (!GONE.includes(errorName(error))) {
                throw error;
            }
            return {stream: await capture({}), fellBack: true};
        }
    } catch (error) {
        switch (errorName(error)) {
        case 'NotAllowedError':
        case 'SecurityError':
            throw new CallError(problem('microphone-denied'));
        case 'NotFoundError':
        case 'OverconstrainedError':
            throw new CallError(problem('microphone-missing'));
        default:
            throw new CallError(problem('microphone-busy'));
        }
    }
}

/** Upright or wide, about 640x360: more is not sent (`CAMERA_ENCODING`). */
const CAMERA: MediaTrackConstraints = {width: {ideal: 640}, height: {ideal: 360}, frameRate: {ideal: 30, max: 30}};
export const CAMERA_ENCODING: RTCRtpEncodingParameters[] = [{maxBitrate: 1_000_000, maxFramerate: 30}];

export interface Camera {
    stream: MediaStream;
    fellBack: boolean;
}

/** `deviceId`: empty for what the browser takes by itself. */
export async function captureCamera(deviceId: string): Promise<Camera> {
    const devices = mediaDevices();
    if (!devices) {
        throw new CallError(problem('insecure-page'));
    }
    try {
        if (deviceId === '') {
            return {stream: await devices.getUserMedia({video: CAMERA}), fellBack: false};
        }
        try {
            return {stream: await devices.getUserMedia({video: {...CAMERA, deviceId: {exact: deviceId}}}), fellBack: false};
        } catch (error) {
            if (!GONE.includes(errorName(error))) {
                throw error;
            }
            return {stream: await devices.getUserMedia({video: CAMERA}), fellBack: true};
        }
    } catch (error) {
        switch (errorName(error)) {
        case 'NotAllowedError':
        case 'SecurityError':
            throw new CallError(problem('camera-denied'));
        case 'NotFoundError':
        case 'OverconstrainedError':
            throw new CallError(problem('camera-missing'));
        default:
            throw new CallError(problem('camera-busy'));
        }
    }
}

/** What of a screen matters most when the network does not carry all: sharp letters, or smooth movement. */
export type ScreenHint = 'detail' | 'motion';

export interface ScreenWish {
    sound: boolean;
    hint: ScreenHint;
}

export async function captureScreen(sound = true): Promise<MediaStream> {
    const devices = mediaDevices();
    if (!devices || typeof devices.getDisplayMedia !== 'function') {
        throw new CallError(problem('screen-unavailable'));
    }
    const options: DisplayMediaStreamOptions & {systemAudio?: string} = {
        video: {frameRate: 20, width: {max: 1920}, height: {max: 1200}},
        audio: sound ? {autoGainControl: false, echoCancellation: false, noiseSuppression: false} : false,
        systemAudio: sound ? 'include' : 'exclude',
    };
    try {
        return await devices.getDisplayMedia(options);
    } catch (error) {
        const refused = errorName(error) === 'NotAllowedError';
        throw new CallError(problem(refused ? 'screen-denied' : 'screen-unavailable'));
    }
}

export function screenEncodings(simulcast: boolean): RTCRtpEncodingParameters[] {
    // Firefox orders and names simulcast layers its own way: it sends one.
    const firefox = navigator.userAgent.includes('Firefox/');
    return simulcast && !firefox ? SCREEN_LAYERS : SCREEN_SINGLE;
}

export function stopStream(stream: MediaStream | null): void {
    stream?.getTracks().forEach((track) => track.stop());
}

function mediaDevices(): MediaDevices | undefined {
    // Absent on pages that are neither https nor localhost, whatever the type says.
    return navigator.mediaDevices as MediaDevices | undefined;
}

function errorName(error: unknown): string {
    return error instanceof Error || error instanceof DOMException ? error.name : '';
}
