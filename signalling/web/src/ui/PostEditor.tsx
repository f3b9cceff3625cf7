/** Changing an own message where it stands: Enter saves, Escape gives it up. */
import type {Post} from '@mattermost/types/posts';
import {useEffect, useRef, useState, type KeyboardEvent, type ReactNode} from 'react';
import {editMessage} from '../app/posts';
import {patch} from '../state/app';
import {say} from '../words/words';

export function PostEditor({post}: {post: Post}): ReactNode {
    const [text, setText] = useState(post.message);
    const [busy, setBusy] = useState(false);
    const area = useRef<HTMLTextAreaElement>(null);
    const message = text.trim();
    const empty = message === '' && (post.file_ids ?? []).length === 0;
    useEffect(() => {
        const element = area.current;
        element?.focus();
        element?.setSelectionRange(element.value.length, element.value.length);
        element?.scrollIntoView({block: 'nearest'});
    }, []);
    const leave = (): void => {
        const field = area.current?.closest('.thread, .channel')?.querySelector<HTMLElement>('.composer textarea');
        patch({editing: ''});
        field?.focus();
    };
    const save = async (): Promise<void> => {
        if (empty || busy) {
            return;
        }
        if (message.startsWith('/')) {
            patch({fault: say('chat_not_edited', {why: say('chat_why_command')})});
            return;
        }
        setBusy(true);
        if (message === post.message || await editMessage(post, message)) {
            leave();
        }
        setBusy(false);
    };
    const keyDown = (event: KeyboardEvent): void => {
        if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
            event.preventDefault();
            void save();
        } else if (event.key === 'Escape') {
            event.stopPropagation();
            leave();
        }
    };
    return (
        <form className="post-editor" onSubmit={(event) => {
            event.preventDefault();
            void save();
        }}>
            <textarea
                ref={area} dir="auto" value={text} rows={Math.min(12, text.split('\n').length + 1)} maxLength={16_000} data-testid="edit-text"
                aria-label={say('chat_edit')} onChange={(event) => setText(event.target.value)} onKeyDown={keyDown}
            />
            <div className="row">
                <button type="submit" className="primary" disabled={busy || empty} data-testid="save-edit">{say('chat_save')}</button>
                <button type="button" onClick={leave}>{say('chat_cancel')}</button>
            </div>
        </form>
    );
}
