/** The whole state of the page, and the store that holds it. */
import type {ScreenWish} from '../peer/media';
import type {Problem} from '../peer/problems';
import type {ServerVersions} from '../peer/version';
import {allAlerts, type Alerts} from './alerts';
import type {ActiveCall} from './active';
import {emptyChat, type Chat} from './chat';
import type {Calls, RecordingFault} from './calls';
import {emptyPresence, type Presence} from './presence';
import type {Ring} from './ringing';
import type {Speech} from './speech';
import {Store, useStore} from './store';
import {emptyThreads, type Threads} from './threads';

/** Colours; `system` follows the device. */
export type Theme = 'system' | 'light' | 'dark';

export type Phase = 'loading' | 'signed-out' | 'ready' | 'unreachable';

/** What the server allows, in the terms of this client. */
export interface CallsConfig {
    iceServers: RTCIceServer[];
    needsTurnCredentials: boolean;
    allowScreenSharing: boolean;
    enableRecordings: boolean;
    enableTranscriptions: boolean;
    enableLiveCaptions: boolean;
    enableRinging: boolean;
    enableSimulcast: boolean;
    enableDcSignaling: boolean;
    /** Cameras may be shown in calls between two. */
    enableVideo: boolean;
    /** 0 when the server does not say. */
    maxRecordingMinutes: number;
    speech: Speech;
    versions: ServerVersions;
}

/** A call that ended for this page without the person wanting it. */
export interface Ending {
    channelId: string;
    problem: Problem;
}

/** What the person is asked before something happens to a call. */
export type Question = {kind: 'second-call' | 'lobby' | 'end-call' | 'record'; channelId: string} | {kind: 'sign-out' | 'alerts'};

/** What somebody came by before signing in. */
export interface Invitation {
    /** Empty when it was used. */
    secret: string;
    teamId: string;
    team: string;
}

export interface AppState {
    phase: Phase;
    /** BCP 47 tag of the words on the screen. */
    language: string;
    theme: Theme;
    siteName: string;
    websocketUrl: string;
    noAccounts: boolean;
    /** The first account is made with the one-time token that the server printed. */
    firstAccountNeedsToken: boolean;
    signUpAllowed: boolean;
    /** Good when the page was opened; the server judges again. */
    invitation: Invitation | null;
    /** Characters; 0 when the server does not say. */
    minPassword: number;
    /** Bytes; 0 when the server does not say. */
    maxFileSize: number;
    online: boolean;
    /** On narrow screens one of the two is shown. */
    view: 'list' | 'channel';
    chat: Chat;
    presence: Presence;
    threads: Threads;
    calls: Calls;
    callsConfig: CallsConfig | null;
    /** The server has no calls at all (`calls.disable`): nothing of them is offered. */
    noCalls: boolean;
    active: ActiveCall | null;
    ending: Ending | null;
    /** Channels where calls are switched off. */
    callsOff: Readonly<Record<string, boolean>>;
    /** What failed of a recording, by the call's post, as far as this page heard it. */
    recordFaults: Readonly<Record<string, readonly RecordingFault[]>>;
    /** How much of a recording is made, 0 to 100, likewise. */
    recordProgress: Readonly<Record<string, number>>;
    ring: Ring | null;
    /** The own call rings at others, or did so in vain. */
    calling: 'ringing' | 'unanswered' | null;
    alerts: Alerts;
    /** How this person shares a screen. */
    share: ScreenWish;
    question: Question | null;
    /** The search is open. */
    searching: boolean;
    /** The message that is being edited, by `editKey`; empty when none is. */
    editing: string;
    /** A refusal or fault outside of calls, in words. */
    fault: string;
    /** What a screen reader should hear now. */
    announcement: string;
}

export const initialState: AppState = {
    phase: 'loading', language: 'en', theme: 'system', siteName: 'Parley', websocketUrl: '', noAccounts: false, firstAccountNeedsToken: false, signUpAllowed: false, invitation: null, minPassword: 0, maxFileSize: 0, online: true, view: 'list',
    chat: emptyChat, presence: emptyPresence, threads: emptyThreads, calls: {}, callsConfig: null, noCalls: false, active: null, ending: null, callsOff: {}, recordFaults: {}, recordProgress: {}, ring: null, calling: null, alerts: allAlerts, share: {sound: true, hint: 'detail'}, question: null, searching: false, editing: '', fault: '', announcement: '',
};

export const store = new Store<AppState>(initialState);

export function useApp<T>(pick: (state: AppState) => T): T {
    return useStore(store, pick);
}

export function patch(change: Partial<AppState>): void {
    store.update((state) => ({...state, ...change}));
}

export function updateChat(next: (chat: Chat) => Chat): void {
    store.update((state) => {
        const chat = next(state.chat);
        return chat === state.chat ? state : {...state, chat};
    });
}

export function updateThreads(next: (threads: Threads) => Threads): void {
    store.update((state) => {
        const threads = next(state.threads);
        return threads === state.threads ? state : {...state, threads};
    });
}

export function updatePresence(next: (presence: Presence) => Presence): void {
    store.update((state) => {
        const presence = next(state.presence);
        return presence === state.presence ? state : {...state, presence};
    });
}

/** Without effect when this page is in no call. */
export function updateActive(next: (active: ActiveCall) => ActiveCall): void {
    store.update((state) => {
        const active = state.active ? next(state.active) : null;
        return active === state.active ? state : {...state, active};
    });
}

export function announce(announcement: string): void {
    patch({announcement});
}

/** Names a message where it stands: the first one of a thread is seen in the channel, too. */
export function editKey(postId: string, inThread: boolean): string {
    return `${inThread ? 'thread' : 'channel'}/${postId}`;
}
