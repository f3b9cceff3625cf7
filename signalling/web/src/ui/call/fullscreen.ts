/** The whole stage on the whole screen: with the controls, so that nobody looks for the microphone there. */

export function toggleFullscreen(inside: HTMLElement | null): void {
    if (document.fullscreenElement) {
        leaveFullscreen();
        return;
    }
    const stage = inside?.closest<HTMLElement>('.stage');
    void stage?.requestFullscreen?.().catch(() => undefined);
}

export function leaveFullscreen(): void {
    if (document.fullscreenElement) {
        void document.exitFullscreen().catch(() => undefined);
    }
}
