/** The screen somebody shares, as large as there is room; for the sharer, what others see. */
import {useEffect, useRef, type ReactNode} from 'react';
import {toggleScreen} from '../../app/call';
import {useApp} from '../../state/app';
import {displayName} from '../../state/chat';
import {ScreenIcon} from '../icons';

export function ScreenView(): ReactNode {
    const remote = useApp((state) => state.active?.remoteScreen ?? null);
    const own = useApp((state) => state.active?.ownScreen ?? null);
    const sharer = useApp((state) => {
        const call = state.active ? state.calls[state.active.channelId] : undefined;
        const session = call?.sessions[call.screenSessionId];
        return session ? displayName(state.chat.users[session.userId]) : '';
    });
    if (own) {
        return (
            <div className="own-screen" data-testid="own-screen">
                <ScreenIcon/>
                <p className="grow">You are sharing your screen.</p>
                <button type="button" onClick={() => void toggleScreen()}>Stop sharing</button>
            </div>
        );
    }
    if (remote) {
        return <Screen stream={remote} sharer={sharer}/>;
    }
    return sharer === '' ? null : <p className="muted center" role="status">{sharer}’s screen is coming…</p>;
}

function Screen({stream, sharer}: {stream: MediaStream; sharer: string}): ReactNode {
    const video = useRef<HTMLVideoElement>(null);
    useEffect(() => {
        const element = video.current;
        if (element) {
            element.srcObject = stream;
            element.play().catch(() => undefined);
        }
        return () => {
            if (element) {
                element.srcObject = null;
            }
        };
    }, [stream]);
    return (
        <figure className="screen">
            <video
                ref={video} autoPlay muted playsInline aria-label={`Screen of ${sharer || 'somebody'}`} data-testid="screen-video"
                onDoubleClick={() => void video.current?.requestFullscreen?.().catch(() => undefined)}
            />
            <figcaption>{sharer ? `${sharer}’s screen` : 'Shared screen'}</figcaption>
        </figure>
    );
}
