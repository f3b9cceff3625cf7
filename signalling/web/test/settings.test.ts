/** What a person chose is kept whole, keys act only as they should, captions are written once. */
import {describe, expect, it} from 'vitest';
import {meterShare, rootMeanSquare, SpeechGate} from '../src/peer/level';
import {ReceiverMeter} from '../src/peer/quality';
import {newActiveCall, withNote, withoutNote, type Caption} from '../src/state/active';
import {withLine, type CaptionLine} from '../src/state/captionlog';
import {DEFAULT_SETTINGS, readSettings, volumeOf, withVolume} from '../src/state/settings';
import {ACTIONS, actionOf, ariaKeys, combinationOf, DEFAULT_KEYS, isBare, labelOf, types, withKey, type KeyPress} from '../src/state/shortcuts';

const press = (key: string, code: string, more: Partial<KeyPress> = {}): KeyPress => (
    {key, code, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more});

describe('settings', () => {
    it('are read whole from whatever was stored', () => {
        expect(readSettings(null)).toEqual(DEFAULT_SETTINGS);
        expect(readSettings('{broken')).toEqual(DEFAULT_SETTINGS);
        expect(readSettings('{"captionSize":"enormous","noiseSuppression":"no","microphone":7,"volumes":{"a":2,"b":0.5},"keys":{"mute":"F8","x":"y"}}'))
            .toEqual({...DEFAULT_SETTINGS, volumes: {b: 0.5}, keys: {...DEFAULT_KEYS, mute: 'F8'}});
    });

    it('come back as they were stored', () => {
        const chosen = {...DEFAULT_SETTINGS, microphone: {id: 'm', label: 'Desk'}, pushToTalk: true, hearMuted: false, captionSize: 'huge' as const};
        expect(readSettings(JSON.stringify(chosen))).toEqual(chosen);
    });

    it('remember who is quieter, and forget who is not any more', () => {
        const quiet = withVolume(DEFAULT_SETTINGS, 'ben', 0.25);
        expect(volumeOf(quiet, 'ben')).toBe(0.25);
        expect(volumeOf(quiet, 'anna')).toBe(1);
        expect(withVolume(quiet, 'ben', 1).volumes).toEqual({});
    });
});

describe('keys', () => {
    it('are written the same on every system', () => {
        expect(combinationOf(press('Y', 'KeyY', {ctrlKey: true, shiftKey: true}), false)).toBe('Mod+Shift+Y');
        expect(combinationOf(press('y', 'KeyY', {metaKey: true, shiftKey: true}), true)).toBe('Mod+Shift+Y');
        expect(combinationOf(press(' ', 'Space', {ctrlKey: true, shiftKey: true}), false)).toBe('Mod+Shift+Space');
        expect(combinationOf(press('π', 'KeyP', {altKey: true}), true)).toBe('Alt+P');
        expect(combinationOf(press('з', 'KeyP', {altKey: true}), false)).toBe('Alt+P');
        expect(combinationOf(press('?', 'Slash', {shiftKey: true}), false)).toBe('?');
        expect(combinationOf(press('Shift', 'ShiftLeft', {shiftKey: true}), false)).toBe('');
    });

    it('never act by a letter, digit or sign alone at first, but for the list of them', () => {
        for (const action of ACTIONS) {
            expect([action, isBare(DEFAULT_KEYS[action])]).toEqual([action, action === 'help']);
        }
        for (const letter of 'mhsc') {
            expect(actionOf(DEFAULT_KEYS, combinationOf(press(letter, `Key${letter.toUpperCase()}`), false))).toBeNull();
        }
    });

    it('belong to one action each', () => {
        const keys = withKey(DEFAULT_KEYS, 'hand', DEFAULT_KEYS.mute);
        expect(keys.hand).toBe('Mod+Shift+Space');
        expect(keys.mute).toBe('');
        expect(actionOf(keys, '')).toBeNull();
    });

    it('that would type something rest in a text', () => {
        expect(['?', 'Alt+P', 'Shift+M'].map(types)).toEqual([true, true, true]);
        expect(['Mod+Shift+Space', 'F8'].map(types)).toEqual([false, false]);
    });

    it('are told as people and machines know them', () => {
        expect(labelOf('Mod+Shift+Y', false)).toBe('Ctrl+Shift+Y');
        expect(labelOf('Mod+Shift+Y', true)).toBe('⌘ ⇧ Y');
        expect([labelOf('Mod+Shift+Space', false), labelOf('Alt+ArrowUp', true)]).toEqual(['Ctrl+Shift+Space', '⌥ ↑']);
        expect(ariaKeys('Mod+Shift+Y', false)).toBe('Control+Shift+Y');
    });
});

describe('the history of captions', () => {
    const said = (sessionId: string, text: string, at: number, utterance = '', final = false): Caption => ({sessionId, userId: `u-${sessionId}`, text, at, utterance, final, settled: text.length, language: '', notice: false});
    const write = (captions: readonly Caption[]): string[] =>
        captions.reduce<readonly CaptionLine[]>((log, caption) => withLine(log, caption), []).map(({sessionId, text}) => `${sessionId}: ${text}`);

    it('lets a line grow while its speaker goes on', () => {
        expect(write([said('a', 'good', 0), said('a', 'Good morning', 1000), said('a', 'Good morning, everybody', 2000)])).toEqual(['a: Good morning, everybody']);
    });

    it('keeps what was said when its captions pause', () => {
        const notice = {...said('a', '[captions pause: the server is busy]', 2000, '1', true), notice: true};
        expect(write([said('a', 'good morning', 0, '1'), notice, notice, said('a', 'and on', 9000, '2')])).toEqual(['a: good morning', `a: ${notice.text}`, 'a: and on']);
    });

    it('begins a new line after a pause, and for other words', () => {
        expect(write([said('a', 'good morning', 0), said('a', 'good morning', 6000)])).toEqual(['a: good morning', 'a: good morning']);
        expect(write([said('a', 'good morning everybody', 0), said('a', 'let us begin', 1500)])).toEqual(['a: good morning everybody', 'a: let us begin']);
    });

    it('begins a new line for fewer words after a silence, and takes a last word back without one', () => {
        expect(write([said('a', 'I think', 0), said('a', 'I', 2000), said('a', 'I will', 2600)])).toEqual(['a: I think', 'a: I will']);
        expect(write([said('a', 'no no no', 0), said('a', 'no', 2000)])).toEqual(['a: no no no', 'a: no']);
        expect(write([said('a', 'I think sew', 0), said('a', 'I think', 600), said('a', 'I think so', 1300)])).toEqual(['a: I think so']);
    });

    it('goes by utterances where they are named, whatever the words and the pauses', () => {
        expect(write([said('a', 'I think sew', 0, '1'), said('a', 'good', 100, '2'), said('a', 'We think so.', 9000, '1', true), said('a', 'Good morning', 9100, '2')])).toEqual(['a: We think so.', 'a: Good morning']);
        expect(write([said('a', 'yes', 0, '1'), said('a', 'yes indeed', 100, '2')])).toEqual(['a: yes', 'a: yes indeed']);
        expect(write([said('a', 'one', 0, '1'), said('b', 'two', 100, '1')])).toEqual(['a: one', 'b: two']);
    });

    it('is not taken back by a draft that comes after the final text', () => {
        expect(write([said('a', 'Good morning.', 0, '1', true), said('a', 'good mourning', 100, '1')])).toEqual(['a: Good morning.']);
    });

    it('keeps speakers apart who speak at once', () => {
        expect(write([said('a', 'one', 0), said('b', 'yes', 100), said('a', 'one two', 1000), said('b', 'yes indeed', 1100)])).toEqual(['a: one two', 'b: yes indeed']);
    });

    it('keeps the beginning when the recogniser lets it go', () => {
        expect(write([said('a', 'we will meet again on monday', 0), said('a', 'again on monday', 1000)])).toEqual(['a: we will meet again on monday']);
        expect(write([said('a', 'we will eat again', 0), said('a', 'we will meet', 1000)])).toEqual(['a: we will meet']);
    });
});

it('a note of the same kind replaces the one before', () => {
    let active = withNote(newActiveCall('c'), {id: 1, kind: 'host-changed', text: 'Ben'});
    active = withNote(active, {id: 2, kind: 'muted', text: 'muted'});
    active = withNote(active, {id: 3, kind: 'host-changed', text: 'Anna'});
    expect(active.notes.map(({id}) => id)).toEqual([2, 3]);
    expect(withoutNote(active, 2).notes.map(({id}) => id)).toEqual([3]);
});

describe('the sound of one person', () => {
    const report = (packetsReceived: number, packetsLost: number, more: object = {}): [string, unknown][] =>
        [['in', {type: 'inbound-rtp', kind: 'audio', packetsReceived, packetsLost, totalSamplesReceived: packetsReceived * 960, concealedSamples: 0, silentConcealedSamples: 0, ...more}]];

    it('is judged by what was lost since the last look', () => {
        const meter = new ReceiverMeter();
        expect(meter.measure(report(200, 0))).toBeNull();
        expect(meter.measure(report(400, 2))).toBe('good');
        expect(meter.measure(report(590, 12))).toBe('gaps');
        expect(meter.measure(report(740, 62))).toBe('poor');
    });

    it('is judged by holes that came too late to be filled', () => {
        const meter = new ReceiverMeter();
        meter.measure(report(200, 0));
        expect(meter.measure(report(400, 0, {concealedSamples: 40_000}))).toBe('poor');
        expect(meter.measure(report(600, 0, {concealedSamples: 80_000, silentConcealedSamples: 40_000}))).toBe('good');
    });

    it('is not judged while they are silent', () => {
        const meter = new ReceiverMeter();
        meter.measure(report(200, 50));
        expect(meter.measure(report(200, 50))).toBeNull();
        expect(meter.measure(report(210, 60))).toBeNull();
    });
});

describe('the level of a microphone', () => {
    it('is speech only when it lasts', () => {
        const gate = new SpeechGate();
        expect([0, 0.3, 0, 0, 0.3, 0].map((level) => gate.hears(level))).toEqual([false, false, false, false, false, false]);
        const talking = new SpeechGate();
        expect([0.1, 0.1, 0.01, 0.1, 0.1].map((level) => talking.hears(level))).toEqual([false, false, false, false, true]);
    });

    it('is shown as the ear counts', () => {
        expect(rootMeanSquare(new Float32Array([0.5, -0.5]))).toBeCloseTo(0.5);
        expect([0, 0.001, 0.0316, 1].map((level) => Math.round(meterShare(level) * 100))).toEqual([0, 0, 50, 100]);
    });
});
