/** The film players on the screen, by the post of their recording: so that a line of the transcript finds its own. */

const players = new Map<string, HTMLVideoElement[]>();

/** Returns how to take it away again. The one that came last is the one that jumps. */
export function offerPlayer(postId: string, player: HTMLVideoElement): () => void {
    players.set(postId, [...(players.get(postId) ?? []), player]);
    return () => {
        players.set(postId, (players.get(postId) ?? []).filter((other) => other !== player));
    };
}

/** Plays from `seconds` on; without effect when no player of that recording is on the screen. */
export function playFrom(postId: string, seconds: number): void {
    const player = players.get(postId)?.at(-1);
    if (!player) {
        return;
    }
    const jump = (): void => {
        player.currentTime = Math.min(seconds, Number.isFinite(player.duration) ? player.duration : seconds);
        void player.play().catch(() => undefined);
    };
    player.scrollIntoView({block: 'nearest'});
    if (player.readyState >= HTMLMediaElement.HAVE_METADATA) {
        jump();
    } else {
        player.addEventListener('loadedmetadata', jump, {once: true});
        player.load();
    }
}

/** Seconds that have been played; null while it stands still or is not on the screen. */
export function positionOf(postId: string): number | null {
    const player = players.get(postId)?.at(-1);
    return player && !player.paused ? player.currentTime : null;
}
