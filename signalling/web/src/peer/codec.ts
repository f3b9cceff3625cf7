/**
 * Byte formats of the Calls protocol: data-channel messages and binary WebSocket frames.
 *
 * In: typed messages. Out: MessagePack bytes, and the reverse with limits.
 * A data-channel message is an integer type, optionally followed by one value, with no wrapper.
 * Invariant: decoding never throws; what cannot be read becomes `unknown`.
 * See: RFC 1950 (zlib), RFC 8831 (data channels).
 */
import {decodeMulti, encode} from '@msgpack/msgpack';
import {strFromU8, strToU8, unzlibSync, zlibSync} from 'fflate';
import {ACTION_PREFIX, isRecord} from './record';

/** Compressed session descriptions above this are not opened. */
const MAX_COMPRESSED_BYTES = 64 * 1024;

/** Wire numbers of the data-channel messages. */
const PING = 1;
const PONG = 2;
const SDP = 3;
const LOSS_RATE = 4;
const ROUND_TRIP_TIME = 5;
const JITTER = 6;
const LOCK = 7;
const UNLOCK = 8;
const MEDIA_MAP = 9;

export type TrackKind = 'voice' | 'screen' | 'screen-audio' | 'video';

export interface MediaEntry {
    type: TrackKind;
    senderId: string;
}

/** What each media section (by `mid`) of the server's description carries. */
export type MediaMap = ReadonlyMap<string, MediaEntry>;

export interface Description {
    type: 'offer' | 'answer';
    sdp: string;
}

export type ChannelMessage =
    | {type: 'ping'}
    | {type: 'pong'}
    | {type: 'sdp'; description: Description}
    | {type: 'lock'; granted: boolean}
    | {type: 'media-map'; map: MediaMap}
    | {type: 'unknown'; reason: string};

export const encodePing = (): Uint8Array => encode(PING);
export const encodeLock = (): Uint8Array => encode(LOCK);
export const encodeUnlock = (): Uint8Array => encode(UNLOCK);

export function encodeSdp(description: Description): Uint8Array {
    return concat(encode(SDP), encode(packDescription(description)));
}

/** Fraction of packets lost, 0 to 1. */
export const encodeLossRate = (fraction: number): Uint8Array => concat(encode(LOSS_RATE), encode(fraction));

/** Seconds. */
export const encodeRoundTripTime = (seconds: number): Uint8Array => concat(encode(ROUND_TRIP_TIME), encode(seconds));

/** Seconds. */
export const encodeJitter = (seconds: number): Uint8Array => concat(encode(JITTER), encode(seconds));

export function decodeChannelMessage(bytes: Uint8Array): ChannelMessage {
    let values: unknown[];
    try {
        values = [...decodeMulti(bytes)];
    } catch (error) {
        return unknown(`not MessagePack: ${String(error)}`);
    }
    const [type, payload] = values;
    switch (type) {
    case PING:
        return {type: 'ping'};
    case PONG:
        return {type: 'pong'};
    case SDP:
        return decodeSdp(payload);
    case LOCK:
        return typeof payload === 'boolean' ? {type: 'lock', granted: payload} : unknown('lock reply without a boolean');
    case MEDIA_MAP:
        return decodeMediaMap(payload);
    default:
        return unknown(`message type ${String(type)}`);
    }
}

/** A description as the `sdp` action and message carry it: zlib over JSON. */
export function packDescription(description: Description): Uint8Array {
    return zlibSync(strToU8(JSON.stringify({type: description.type, sdp: description.sdp})));
}

/** The binary WebSocket frame of an action whose payload is bytes. */
export function encodeBinaryAction(action: string, seq: number, payload: Uint8Array): Uint8Array {
    return encode({action: ACTION_PREFIX + action, seq, data: {data: payload}});
}

/** Reads `{type, sdp}`; null when it is neither an offer nor an answer. */
export function parseDescription(value: unknown): Description | null {
    if (!isRecord(value)) {
        return null;
    }
    const {type, sdp} = value;
    if ((type === 'offer' || type === 'answer') && typeof sdp === 'string') {
        return {type, sdp};
    }
    return null;
}

function decodeSdp(payload: unknown): ChannelMessage {
    if (!(payload instanceof Uint8Array) || payload.length > MAX_COMPRESSED_BYTES) {
        return unknown('session description is not bytes, or too long');
    }
    try {
        const description = parseDescription(JSON.parse(strFromU8(unzlibSync(payload))));
        return description ? {type: 'sdp', description} : unknown('neither offer nor answer');
    } catch (error) {
        return unknown(`unreadable session description: ${String(error)}`);
    }
}

function decodeMediaMap(payload: unknown): ChannelMessage {
    if (!isRecord(payload)) {
        return unknown('media map is not a map');
    }
    const map = new Map<string, MediaEntry>();
    for (const [mid, entry] of Object.entries(payload)) {
        if (isRecord(entry) && isTrackKind(entry['type'])) {
            const sender = entry['sender_id'];
            map.set(mid, {type: entry['type'], senderId: typeof sender === 'string' ? sender : ''});
        }
    }
    return {type: 'media-map', map};
}

function isTrackKind(value: unknown): value is TrackKind {
    return value === 'voice' || value === 'screen' || value === 'screen-audio' || value === 'video';
}

function unknown(reason: string): ChannelMessage {
    return {type: 'unknown', reason};
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
    const joined = new Uint8Array(first.length + second.length);
    joined.set(first);
    joined.set(second, first.length);
    return joined;
}
