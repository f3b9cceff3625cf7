/**
 * The signalling lock: who may renegotiate now, the client or the server.
 *
 * In: wishes of the local side, replies of the server. Out: lock requests and unlocks.
 * Not here: what is negotiated (`connection`), bytes (`codec`).
 * Invariant: a lock the server granted is always given back, also when the grant came too late.
 */

export interface LockPort {
    sendLock(): void;
    sendUnlock(): void;
}

/** Shorter floods the server while another side negotiates; longer delays the first word of a speaker. */
const RETRY_MS = 50;
const GIVE_UP_MS = 5000;

type Waiter = {resolve: () => void; reject: (error: Error) => void; deadline: ReturnType<typeof setTimeout>};

export class LockTimeout extends Error {
    constructor() {
        super(`the server did not grant the signalling lock within ${GIVE_UP_MS / 1000} s`);
    }
}

export class SignallingLock {
    private waiter: Waiter | null = null;
    private retry: ReturnType<typeof setTimeout> | null = null;
    private replyOutstanding = false;
    private held = false;

    constructor(private readonly port: LockPort) {}

    /** Resolves when granted. Rejects with `LockTimeout`, or when `abandon` was called. */
    acquire(): Promise<void> {
        if (this.waiter || this.held) {
            return Promise.reject(new Error('the signalling lock is already wanted or held by this client'));
        }
        return new Promise((resolve, reject) => {
            const deadline = setTimeout(() => this.fail(new LockTimeout()), GIVE_UP_MS);
            this.waiter = {resolve, reject, deadline};
            this.request();
        });
    }

    /** The server's reply to a request. */
    replied(granted: boolean): void {
        this.replyOutstanding = false;
        const waiter = this.waiter;
        if (!waiter) {
            if (granted) {
                this.port.sendUnlock();
            }
            return;
        }
        if (!granted) {
            this.retry = setTimeout(() => this.request(), RETRY_MS);
            return;
        }
        this.settle(waiter);
        this.held = true;
        waiter.resolve();
    }

    /** Gives the lock back; without effect when it is not held. */
    release(): void {
        if (this.held) {
            this.held = false;
            this.port.sendUnlock();
        }
    }

    /** The data channel is gone: nobody will reply any more. */
    abandon(): void {
        this.held = false;
        this.replyOutstanding = false;
        this.fail(new Error('the connection closed while waiting for the signalling lock'));
    }

    private request(): void {
        this.retry = null;
        // A reply that is still due answers this wish too: a second request would be a second grant.
        if (!this.replyOutstanding) {
            this.replyOutstanding = true;
            this.port.sendLock();
        }
    }

    private fail(error: Error): void {
        const waiter = this.waiter;
        if (waiter) {
            this.settle(waiter);
            waiter.reject(error);
        }
    }

    private settle(waiter: Waiter): void {
        clearTimeout(waiter.deadline);
        if (this.retry) {
            clearTimeout(this.retry);
            this.retry = null;
        }
        this.waiter = null;
    }
}
