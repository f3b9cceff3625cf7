import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import {LockTimeout, SignallingLock} from '../src/peer/lock';

let sent: string[];
let lock: SignallingLock;

beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    lock = new SignallingLock({sendLock: () => sent.push('lock'), sendUnlock: () => sent.push('unlock')});
});

afterEach(() => {
    vi.useRealTimers();
});

describe('the signalling lock', () => {
    it('is held once granted, and given back once', async () => {
        const acquired = lock.acquire();
        lock.replied(true);
        await acquired;
        lock.release();
        lock.release();
        expect(sent).toEqual(['lock', 'unlock']);
    });

    it('asks again 50 ms after a refusal', async () => {
        const acquired = lock.acquire();
        lock.replied(false);
        await vi.advanceTimersByTimeAsync(49);
        expect(sent).toEqual(['lock']);
        await vi.advanceTimersByTimeAsync(1);
        expect(sent).toEqual(['lock', 'lock']);
        lock.replied(true);
        await acquired;
    });

    it('gives up after 5 s and returns a grant that comes later', async () => {
        const acquired = lock.acquire();
        const failed = expect(acquired).rejects.toBeInstanceOf(LockTimeout);
        await vi.advanceTimersByTimeAsync(5000);
        await failed;
        lock.replied(true);
        expect(sent).toEqual(['lock', 'unlock']);
    });

    it('uses a reply that is still due for the next wish', async () => {
        const first = lock.acquire();
        const failed = expect(first).rejects.toBeInstanceOf(LockTimeout);
        await vi.advanceTimersByTimeAsync(5000);
        await failed;
        const second = lock.acquire();
        expect(sent).toEqual(['lock']);
        lock.replied(true);
        await second;
        lock.release();
        expect(sent).toEqual(['lock', 'unlock']);
    });

    it('fails at once when the connection closes', async () => {
        const acquired = lock.acquire();
        const failed = expect(acquired).rejects.toThrow('connection closed');
        lock.abandon();
        await failed;
        await vi.advanceTimersByTimeAsync(10_000);
        expect(sent).toEqual(['lock']);
    });

    it('refuses to be wanted twice at a time', async () => {
        void lock.acquire();
        await expect(lock.acquire()).rejects.toThrow('already');
    });

    it('does not unlock what it does not hold', () => {
        lock.release();
        expect(sent).toEqual([]);
    });
});
