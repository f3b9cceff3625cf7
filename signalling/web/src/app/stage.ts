/** How the own call is shown: panels, dialogs, captions, what was read and put away. */
import type {Problem} from '../peer/problems';
import type {CallDialog, Panel} from '../state/active';
import {updateActive} from '../state/app';
import {media, remember} from './own';

export function acknowledgeRecording(startAt: number, asHost: boolean): void {
    updateActive((active) => ({...active, noticeSeen: startAt, hostNoticeSeen: asHost ? startAt : active.hostNoticeSeen}));
    remember();
}

export function acknowledgeLimit(startAt: number): void {
    updateActive((active) => ({...active, limitSeen: startAt}));
}

export function dismissOutcome(initAt: number): void {
    updateActive((active) => ({...active, outcomeSeen: initAt}));
}

export function toggleCaptions(): void {
    updateActive((active) => ({...active, showCaptions: !active.showCaptions}));
}

export function togglePanel(panel: Panel): void {
    updateActive((active) => ({...active, panel: active.panel === panel ? null : panel}));
}

export function showDialog(dialog: CallDialog | null): void {
    updateActive((active) => ({...active, dialog}));
}

export function toggleWide(): void {
    updateActive((active) => ({...active, wide: !active.wide, wideForScreen: false}));
}

/** The stage, where it is not on the screen for want of room. */
export function showStage(): void {
    updateActive((active) => ({...active, wide: true, wideForScreen: false}));
}

export function dismissProblem(): void {
    updateActive((active) => ({...active, problem: null}));
}

/** After a click: browsers then let sound play. */
export function allowSound(): void {
    media.resume();
}

export function showProblem(trouble: Problem): void {
    updateActive((active) => ({...active, problem: trouble}));
}
