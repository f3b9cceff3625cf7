import {decodeMulti, encode} from '@msgpack/msgpack';
import {unzlibSync, strFromU8} from 'fflate';
import {describe, expect, it} from 'vitest';
import {
    decodeChannelMessage, encodeBinaryAction, encodeJitter, encodeLock, encodeLossRate, encodePing, encodeRoundTripTime, encodeSdp,
    encodeUnlock, packDescription,
} from '../src/peer/codec';

const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const unhex = (text: string): Uint8Array => Uint8Array.from(text.replaceAll(' ', '').match(/../g) ?? [], (pair) => parseInt(pair, 16));

describe('data-channel messages', () => {
    it('are encoded with a one-byte type', () => {
        expect(hex(encodePing())).toBe('01');
        expect(hex(encodeLock())).toBe('07');
        expect(hex(encodeUnlock())).toBe('08');
        expect(hex(encodeLossRate(0.5))).toBe('04cb3fe0000000000000');
        expect(hex(encodeLossRate(0))).toBe('0400');
        expect(hex(encodeRoundTripTime(0.25))).toBe('05cb3fd0000000000000');
        expect(hex(encodeJitter(0.5))).toBe('06cb3fe0000000000000');
    });

    it('are decoded from both widths of the type', () => {
        expect(decodeChannelMessage(unhex('cc02'))).toEqual({type: 'pong'});
        expect(decodeChannelMessage(unhex('02'))).toEqual({type: 'pong'});
        expect(decodeChannelMessage(unhex('cc07c3'))).toEqual({type: 'lock', granted: true});
        expect(decodeChannelMessage(unhex('07c2'))).toEqual({type: 'lock', granted: false});
    });

    it('carry the media map', () => {
        const message = decodeChannelMessage(unhex('cc0981a13182a474797065a5766f696365a973656e6465725f6964a27331'));
        expect(message).toEqual({type: 'media-map', map: new Map([['1', {type: 'voice', senderId: 's1'}]])});
        expect(decodeChannelMessage(unhex('cc0980'))).toEqual({type: 'media-map', map: new Map()});
    });

    it('leave out media map entries of kinds this client does not know', () => {
        const bytes = new Uint8Array([9, ...encode({'1': {type: 'smell', sender_id: 's'}, '2': {type: 'screen'}})]);
        expect(decodeChannelMessage(bytes)).toEqual({type: 'media-map', map: new Map([['2', {type: 'screen', senderId: ''}]])});
    });

    it('carry a session description', () => {
        const golden = 'cc03 c426 789cab562aa92c4855b252ca4f4b4b2d52d2512a4e2900f2ca6c0d628a62f2946a01ab8f0a3f';
        expect(decodeChannelMessage(unhex(golden))).toEqual({type: 'sdp', description: {type: 'offer', sdp: 'v=0\r\n'}});
        const own = encodeSdp({type: 'answer', sdp: 'v=0\r\n'});
        expect(hex(own.slice(0, 2))).toBe('03c4');
        expect(decodeChannelMessage(own)).toEqual({type: 'sdp', description: {type: 'answer', sdp: 'v=0\r\n'}});
    });

    it('never throw on what cannot be read', () => {
        for (const bad of ['', 'c1', '09', 'cc09c0', '07', '0701', '03c403010203', '03a3414243', 'cc63', '0ac3', '81']) {
            expect(decodeChannelMessage(unhex(bad)).type).toBe('unknown');
        }
    });

    it('never throw on random bytes', () => {
        let seed = 42;
        const next = (): number => (seed = (seed * 1103515245 + 12345) & 0x7fffffff);
        for (let round = 0; round < 2000; round++) {
            const bytes = Uint8Array.from({length: next() % 40}, () => (next() >> 8) & 0xff);
            expect(() => decodeChannelMessage(bytes)).not.toThrow();
        }
    });
});

describe('the binary WebSocket frame', () => {
    it('holds action, seq and bytes', () => {
        const packed = packDescription({type: 'offer', sdp: 'v=0\r\n'});
        const frames = [...decodeMulti(encodeBinaryAction('sdp', 7, packed))];
        expect(frames).toEqual([{action: 'custom_com.mattermost.calls_sdp', seq: 7, data: {data: packed}}]);
        expect(JSON.parse(strFromU8(unzlibSync(packed)))).toEqual({type: 'offer', sdp: 'v=0\r\n'});
        expect(packed[0]).toBe(0x78);
    });
});
