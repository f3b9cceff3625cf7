/**
 * A shared screen in a small window of its own, above other programs, for as long as it is shared.
 *
 * Invariant: it does not depend on what the page shows, so it stays while one reads another channel.
 */

let popped: HTMLVideoElement | null = null;

/** Firefox offers its own way to do it and this one not. */
export function canPopOut(): boolean {
    return typeof document !== 'undefined' && document.pictureInPictureEnabled === true;
}

/** Into its own window, or back when it is there. Rejects when the browser refuses. */
export async function popOut(stream: MediaStream): Promise<void> {
    if (document.pictureInPictureElement) {
        await document.exitPictureInPicture();
        return;
    }
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = stream;
    video.className = 'popped-out';
    // In the document: browsers pause a video that is not.
    document.body.append(video);
    popped = video;
    video.addEventListener('leavepictureinpicture', drop, {once: true});
    stream.getVideoTracks().forEach((track) => track.addEventListener('ended', endPopOut));
    await video.play();
    await video.requestPictureInPicture();
}

/** The screen is no longer shared. */
export function endPopOut(): void {
    if (document.pictureInPictureElement && document.pictureInPictureElement === popped) {
        void document.exitPictureInPicture().catch(() => undefined);
    }
    drop();
}

function drop(): void {
    if (popped) {
        popped.srcObject = null;
        popped.remove();
        popped = null;
    }
}
