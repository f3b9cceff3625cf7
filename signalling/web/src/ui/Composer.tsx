/**
 * Writing a message: Enter sends, Shift+Enter makes a new line, the arrow up edits the last own one.
 *
 * Files come by the button, by dropping them on the conversation and by pasting.
 */
import {useEffect, useLayoutEffect, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {sendMessage} from '../app/channels';
import {lastOwnPost} from '../app/posts';
import {tellTyping} from '../app/presence';
import {editKey, patch, useApp} from '../state/app';
import {displayName} from '../state/chat';
import {typingPlace, type Typist} from '../state/presence';
import {say} from '../words/words';
import {AttachIcon, SendIcon} from './icons';
import {useSuggestions} from './suggestions';
import {UploadList, useUploads} from './uploads';

interface Props {
    channelId: string;
    rootId: string;
    label: string;
    testId: string;
}

/** Drafts by place, for as long as the page lives. */
const drafts = new Map<string, string>();

export function Composer({channelId, rootId, label, testId}: Props): ReactNode {
    const place = typingPlace(channelId, rootId);
    return <PlacedComposer key={place} place={place} channelId={channelId} rootId={rootId} label={label} testId={testId}/>;
}

function PlacedComposer({place, channelId, rootId, label, testId}: Props & {place: string}): ReactNode {
    const [text, setText] = useState(() => drafts.get(place) ?? '');
    const [cursor, setCursor] = useState(0);
    const [sending, setSending] = useState(false);
    const area = useRef<HTMLTextAreaElement>(null);
    const form = useRef<HTMLFormElement>(null);
    const picker = useRef<HTMLInputElement>(null);
    const onWay = useRef(Promise.resolve());
    /** Where it goes once the text that was chosen stands in the field. */
    const caret = useRef<number | null>(null);
    const uploads = useUploads(channelId);
    const suggesting = useSuggestions(channelId, text, cursor, (next, at) => {
        setText(next);
        setCursor(at);
        caret.current = at;
    });
    useLayoutEffect(() => {
        // At once: the next letter may come before the next picture.
        if (caret.current !== null) {
            area.current?.setSelectionRange(caret.current, caret.current);
            caret.current = null;
        }
    });
    useLayoutEffect(() => {
        drafts.set(place, text);
        const element = area.current;
        if (element) {
            element.style.height = 'auto';
            // 0 while the channel is hidden behind the list.
            element.style.height = element.scrollHeight > 0 ? `${element.scrollHeight + 2}px` : 'auto';
        }
    }, [place, text]);
    useDrop(form, uploads.add);
    const message = text.trim();
    const canSend = (message !== '' || uploads.fileIds.length > 0) && uploads.ready && !sending;
    const send = async (): Promise<void> => {
        if (!canSend) {
            return;
        }
        // What is written while this one is on its way is the next message, and comes after it.
        const files = uploads.fileIds;
        setText('');
        setSending(files.length > 0);
        area.current?.focus();
        onWay.current = onWay.current.then(async () => {
            if (await sendMessage(channelId, rootId, message, files)) {
                if (files.length > 0) {
                    uploads.clear();
                }
            } else {
                const since = drafts.get(place) ?? '';
                const again = since === '' ? message : `${message}\n${since}`;
                drafts.set(place, again);
                setText(again);
            }
            setSending(false);
        });
        await onWay.current;
    };
    const keyDown = (event: KeyboardEvent): void => {
        if (suggesting.keyDown(event)) {
            return;
        }
        if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            void send();
        } else if (event.key === 'ArrowUp' && text === '') {
            const post = lastOwnPost(channelId, rootId);
            if (post) {
                event.preventDefault();
                patch({editing: editKey(post.id, rootId !== '')});
            }
        }
    };
    return (
        <form ref={form} className="composer" onSubmit={(event) => {
            event.preventDefault();
            void send();
        }}>
            {suggesting.list}
            <UploadList uploads={uploads} onRemoved={() => area.current?.focus()}/>
            <div className="composer-field">
                <button type="button" className="icon-button attach" aria-label={say('chat_attach')} title={say('chat_attach')} data-testid={`${testId}-attach`} onClick={() => picker.current?.click()}>
                    <AttachIcon/>
                </button>
                <input ref={picker} type="file" multiple hidden data-testid={`${testId}-file`} onChange={(event) => {
                    uploads.add(event.target.files ?? []);
                    event.target.value = '';
                    area.current?.focus();
                }}/>
                <textarea
                    ref={area} dir={text === '' ? undefined : 'auto'} rows={1} value={text} placeholder={label} aria-label={label} data-testid={testId} maxLength={16_000}
                    aria-autocomplete="list" aria-controls={suggesting.open ? suggesting.id : undefined} aria-activedescendant={suggesting.active}
                    onChange={(event) => {
                        caret.current = null;
                        setText(event.target.value);
                        setCursor(event.target.selectionStart);
                        if (event.target.value.trim() !== '' && !event.target.value.startsWith('/')) {
                            tellTyping(channelId, rootId);
                        }
                    }}
                    onSelect={(event) => setCursor(event.currentTarget.selectionStart)} onBlur={suggesting.close}
                    onKeyDown={keyDown}
                    onPaste={(event) => {
                        if (event.clipboardData.files.length > 0) {
                            event.preventDefault();
                            uploads.add(event.clipboardData.files);
                        }
                    }}
                />
                <button type="submit" className="icon-button send" aria-label={say('chat_send')} title={say('chat_send_hint')} disabled={!canSend} data-testid={`${testId}-send`}>
                    <SendIcon/>
                </button>
            </div>
            <Typing place={place}/>
        </form>
    );
}

const nobody: readonly Typist[] = [];

function Typing({place}: {place: string}): ReactNode {
    const typists = useApp((state) => state.presence.typing[place] ?? nobody);
    const users = useApp((state) => state.chat.users);
    const [first, second] = typists.map(({userId}) => displayName(users[userId]));
    const text = first === undefined ? '' : second === undefined ? say('chat_typing_1', {name: first})
        : typists.length === 2 ? say('chat_typing_2', {name: first, other: second}) : say('chat_typing_more');
    return <p className="typing muted" data-testid="typing">{text}</p>;
}

/** Files dropped anywhere on the conversation go into this message. */
function useDrop(form: React.RefObject<HTMLFormElement | null>, add: (files: Iterable<File>) => void): void {
    const latest = useRef(add);
    useEffect(() => {
        latest.current = add;
    });
    useEffect(() => {
        const area = form.current?.closest<HTMLElement>('.conversation, .thread');
        if (!area) {
            return undefined;
        }
        const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
        const over = (event: DragEvent): void => {
            if (hasFiles(event)) {
                event.preventDefault();
                area.dataset['dropping'] = 'true';
            }
        };
        const end = (): void => {
            delete area.dataset['dropping'];
        };
        const drop = (event: DragEvent): void => {
            end();
            if (hasFiles(event)) {
                event.preventDefault();
                latest.current(event.dataTransfer?.files ?? []);
            }
        };
        area.addEventListener('dragover', over);
        area.addEventListener('dragleave', end);
        area.addEventListener('drop', drop);
        return () => {
            end();
            area.removeEventListener('dragover', over);
            area.removeEventListener('dragleave', end);
            area.removeEventListener('drop', drop);
        };
    }, [form]);
}
