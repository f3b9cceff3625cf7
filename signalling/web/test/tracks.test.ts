import {beforeEach, describe, expect, it} from 'vitest';
import type {MediaEntry} from '../src/peer/codec';
import {RemoteTracks, type RemoteTrack} from '../src/peer/tracks';

let delivered: RemoteTrack[];
let tracks: RemoteTracks;

function arrival(mid: string, kind: string, streamId: string): RTCTrackEvent {
    const track = Object.assign(new EventTarget(), {kind, readyState: 'live'});
    const stream = Object.assign(new EventTarget(), {id: streamId});
    return {transceiver: {mid}, track, streams: [stream]} as unknown as RTCTrackEvent;
}

const entries = (entry: Record<string, MediaEntry['type']>): Map<string, MediaEntry> => (
    new Map(Object.entries(entry).map(([mid, type]) => [mid, {type, senderId: 'receiver'}]))
);

beforeEach(() => {
    delivered = [];
    tracks = new RemoteTracks((track) => delivered.push(track));
});

describe('remote tracks', () => {
    it('are voices when they are audio and the map says nothing', () => {
        tracks.arrived(arrival('1', 'audio', 'alice'));
        expect(delivered.map(({kind, senderId}) => [kind, senderId])).toEqual([['voice', 'alice']]);
    });

    it('are what the map says', () => {
        tracks.mapChanged(entries({1: 'screen-audio', 2: 'screen'}));
        tracks.arrived(arrival('1', 'audio', 'alice'));
        tracks.arrived(arrival('2', 'video', 'alice'));
        expect(delivered.map(({kind}) => kind)).toEqual(['screen-audio', 'screen']);
    });

    it('wait for the map when they are video, and are delivered once', () => {
        tracks.arrived(arrival('2', 'video', 'alice'));
        expect(delivered).toEqual([]);
        tracks.mapChanged(entries({1: 'voice'}));
        expect(delivered).toEqual([]);
        tracks.mapChanged(entries({1: 'voice', 2: 'screen'}));
        tracks.mapChanged(entries({1: 'voice', 2: 'screen'}));
        expect(delivered.map(({kind}) => kind)).toEqual(['screen']);
    });

    it('tell once when they end', () => {
        const event = arrival('1', 'audio', 'alice');
        tracks.arrived(event);
        let ends = 0;
        delivered[0]?.onEnded(() => ends++);
        event.track.dispatchEvent(new Event('ended'));
        event.track.dispatchEvent(new Event('ended'));
        event.streams[0]?.dispatchEvent(Object.assign(new Event('removetrack'), {track: event.track}));
        expect(ends).toBe(1);
    });
});
