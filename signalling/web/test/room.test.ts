import {describe, expect, test} from 'vitest';
import {countFitting, placesIn} from '../src/state/room';

describe('a row of buttons', () => {
    test('has as many places as fingers can tell apart', () => {
        // What phones of 320, 360, 390 and 430 px leave of their width.
        expect([301, 341, 371, 411].map(placesIn)).toEqual([6, 7, 7, 8]);
        expect([44, 91, 92, 43].map(placesIn)).toEqual([1, 1, 2, 0]);
    });

    test('takes the first ones, each with its places, and the rest as they come', () => {
        expect(countFitting([1, 1, 1, 1], 4)).toBe(4);
        expect(countFitting([1, 1, 2, 1], 4)).toBe(3);
        expect(countFitting([1, 1, 1, 2, 1], 4)).toBe(3);
        expect(countFitting([1, 2, 1], Infinity)).toBe(3);
        expect(countFitting([], 0)).toBe(0);
    });
});
