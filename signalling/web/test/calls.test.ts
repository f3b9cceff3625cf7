import {describe, expect, it} from 'vitest';
import {applyCallsEvent, isRunning, isStarting, type Call, type Calls} from '../src/state/calls';
import {roster} from '../src/state/roster';

const CHANNEL = 'ch1';

function state(sessions: object[], more: object = {}): Calls {
    const call = {id: 'call1', start_at: 1000, sessions, thread_id: 't', post_id: 'p', owner_id: 'u1', host_id: 'u1', screen_sharing_session_id: '', ...more};
    return applyCallsEvent({}, 'call_state', '', {channel_id: CHANNEL, call: JSON.stringify(call)});
}

function session(id: string, user: string, more: object = {}): object {
    return {session_id: id, user_id: user, unmuted: false, raised_hand: 0, video: false, ...more};
}

function only(calls: Calls): Call {
    const call = calls[CHANNEL];
    if (!call) {
        throw new Error('there is no call');
    }
    return call;
}

const event = (calls: Calls, name: string, data: Record<string, unknown>): Calls => applyCallsEvent(calls, name, CHANNEL, data);

describe('the calls', () => {
    it('are read from a call_state', () => {
        const call = only(state([session('s1', 'u1', {unmuted: true}), session('s2', 'u2', {raised_hand: 5})], {screen_sharing_session_id: 's2'}));
        expect(call.sessions['s1']).toEqual({sessionId: 's1', userId: 'u1', unmuted: true, raisedHand: 0, speaking: false, video: false});
        expect(call.sessions['s2']?.raisedHand).toBe(5);
        expect(call.screenSessionId).toBe('s2');
        expect(call.hostId).toBe('u1');
    });

    it('begin with call_start and go on with joins', () => {
        let calls = applyCallsEvent({}, 'call_start', CHANNEL, {id: 'call1', channelID: CHANNEL, start_at: 7, thread_id: 't', post_id: 't', owner_id: 'u1', host_id: 'u1'});
        calls = event(calls, 'user_joined', {user_id: 'u1', session_id: 's1'});
        calls = event(calls, 'user_joined', {user_id: 'u2', session_id: 's2'});
        expect(Object.keys(only(calls).sessions)).toEqual(['s1', 's2']);
    });

    it('end when the last session leaves, or when the host ends them', () => {
        let calls = state([session('s1', 'u1'), session('s2', 'u2')]);
        calls = event(calls, 'user_left', {user_id: 'u1', session_id: 's1'});
        expect(calls[CHANNEL]).toBeDefined();
        expect(event(calls, 'user_left', {user_id: 'u2', session_id: 's2'})[CHANNEL]).toBeUndefined();
        expect(event(calls, 'call_end', {})[CHANNEL]).toBeUndefined();
    });

    it('follow microphones, voices and hands', () => {
        let calls = state([session('s1', 'u1')]);
        calls = event(calls, 'user_unmuted', {userID: 'u1', session_id: 's1'});
        calls = event(calls, 'user_voice_on', {userID: 'u1', session_id: 's1'});
        calls = event(calls, 'user_raise_hand', {userID: 'u1', session_id: 's1', raised_hand: 99});
        expect(only(calls).sessions['s1']).toMatchObject({unmuted: true, speaking: true, raisedHand: 99});
        calls = event(calls, 'user_muted', {userID: 'u1', session_id: 's1'});
        calls = event(calls, 'user_unraise_hand', {userID: 'u1', session_id: 's1', raised_hand: 0});
        expect(only(calls).sessions['s1']).toMatchObject({unmuted: false, speaking: false, raisedHand: 0});
    });

    it('keep who speaks over a fresh call_state', () => {
        let calls = event(state([session('s1', 'u1', {unmuted: true})]), 'user_voice_on', {session_id: 's1'});
        const again = JSON.stringify({id: 'call1', sessions: [session('s1', 'u1', {unmuted: true})]});
        calls = applyCallsEvent(calls, 'call_state', CHANNEL, {channel_id: CHANNEL, call: again});
        expect(only(calls).sessions['s1']?.speaking).toBe(true);
    });

    it('forget the screen when its sharer stops, leaves, or vanishes', () => {
        const sharing = event(state([session('s1', 'u1'), session('s2', 'u2')]), 'user_screen_on', {userID: 'u2', session_id: 's2'});
        expect(only(sharing).screenSessionId).toBe('s2');
        expect(only(event(sharing, 'user_screen_off', {userID: 'u2', session_id: 's2'})).screenSessionId).toBe('');
        expect(only(event(sharing, 'user_screen_off', {})).screenSessionId).toBe('');
        expect(only(event(sharing, 'user_left', {user_id: 'u2', session_id: 's2'})).screenSessionId).toBe('');
        expect(only(event(sharing, 'user_screen_off', {session_id: 's1'})).screenSessionId).toBe('s2');
    });

    it('follow the recording from wish to end', () => {
        let calls = event(state([session('s1', 'u1')]), 'call_job_state', {callID: CHANNEL, jobState: {type: 'recording', init_at: 1, start_at: 0, end_at: 0, err: ''}});
        expect(isStarting(only(calls).recording)).toBe(true);
        calls = event(calls, 'call_job_state', {callID: CHANNEL, jobState: {type: 'recording', init_at: 1, start_at: 2, end_at: 0, err: ''}});
        expect(isRunning(only(calls).recording)).toBe(true);
        calls = event(calls, 'call_job_state', {callID: CHANNEL, jobState: {type: 'recording', init_at: 1, start_at: 2, end_at: 3, err: 'disk full'}});
        expect(isRunning(only(calls).recording)).toBe(false);
        expect(only(calls).recording?.error).toBe('disk full');
    });

    it('stay the same value when an event says nothing new', () => {
        const calls = state([session('s1', 'u1')], {screen_sharing_session_id: 's1'});
        for (const [name, data] of [
            ['user_muted', {session_id: 's1'}], ['user_joined', {user_id: 'u1', session_id: 's1'}], ['user_left', {session_id: 'nobody'}],
            ['user_screen_on', {session_id: 's1'}], ['call_host_changed', {hostID: 'u1'}], ['user_voice_on', {session_id: 'nobody'}],
            ['call_job_state', {jobState: null}], ['something_new', {}], ['call_start', {id: 'call1', channelID: CHANNEL}],
        ] as const) {
            expect(event(calls, name, data), name).toBe(calls);
        }
    });

    it('ignore what they cannot read', () => {
        const calls = state([session('s1', 'u1')]);
        for (const call of ['', '{', 'null', '[]', '{"id":7}', 42, null]) {
            expect(event(calls, 'call_state', {channel_id: CHANNEL, call})).toBe(calls);
        }
        expect(only(state([{}, 7, null, session('s9', 'u9')] as object[])).sessions).toHaveProperty('s9');
    });
});

describe('the roster', () => {
    it('lists one entry per person, with the devices taken together', () => {
        const people = roster(only(state([session('s1', 'u1'), session('s2', 'u2'), session('s3', 'u1', {unmuted: true})])));
        expect(people.map(({userId}) => userId)).toEqual(['u1', 'u2']);
        expect(people[0]).toMatchObject({sessionIds: ['s1', 's3'], muted: false, isHost: true});
    });

    it('puts raised hands after the host, the longest waiting before the others', () => {
        const people = roster(only(state([session('s1', 'u1'), session('s2', 'u2', {raised_hand: 20}), session('s3', 'u3', {raised_hand: 10})])));
        expect(people.map(({userId}) => userId)).toEqual(['u1', 'u3', 'u2']);
    });
});
