/** Writing a message: Enter sends, Shift+Enter makes a new line. */
import {useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {sendMessage} from '../app/channels';
import {SendIcon} from './icons';

interface Props {
    channelId: string;
    rootId: string;
    label: string;
    testId: string;
}

/** Drafts by place, for as long as the page lives. */
const drafts = new Map<string, string>();

export function Composer({channelId, rootId, label, testId}: Props): ReactNode {
    const place = `${channelId}/${rootId}`;
    return <PlacedComposer key={place} place={place} channelId={channelId} rootId={rootId} label={label} testId={testId}/>;
}

function PlacedComposer({place, channelId, rootId, label, testId}: Props & {place: string}): ReactNode {
    const [text, setText] = useState(() => drafts.get(place) ?? '');
    const [sending, setSending] = useState(false);
    const area = useRef<HTMLTextAreaElement>(null);
    useLayoutEffect(() => {
        drafts.set(place, text);
        const element = area.current;
        if (element) {
            element.style.height = 'auto';
            // 0 while the channel is hidden behind the list.
            element.style.height = element.scrollHeight > 0 ? `${element.scrollHeight + 2}px` : 'auto';
        }
    }, [place, text]);
    const send = async (): Promise<void> => {
        const message = text.trim();
        if (message === '' || sending) {
            return;
        }
        setSending(true);
        if (await sendMessage(channelId, rootId, message)) {
            setText('');
        }
        setSending(false);
        area.current?.focus();
    };
    const keyDown = (event: KeyboardEvent): void => {
        if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            void send();
        }
    };
    return (
        <form className="composer" onSubmit={(event) => {
            event.preventDefault();
            void send();
        }}>
            <textarea
                ref={area} rows={1} value={text} placeholder={label} aria-label={label} data-testid={testId} maxLength={16_000}
                onChange={(event) => setText(event.target.value)} onKeyDown={keyDown}
            />
            <button type="submit" className="icon-button send" aria-label="Send" title="Send (Enter)" disabled={text.trim() === '' || sending} data-testid={`${testId}-send`}>
                <SendIcon/>
            </button>
        </form>
    );
}
