/** A dialog over the page: closes by its button, Escape or a click beside it; the focus goes back where it was. */
import {useEffect, useRef, type ReactNode} from 'react';
import {say} from '../words/words';
import {CloseIcon} from './icons';

interface Props {
    title: string;
    testId: string;
    onClose: () => void;
    wide?: boolean;
    children: ReactNode | ((close: () => void) => ReactNode);
}

export function Dialog({title, testId, onClose, wide = false, children}: Props): ReactNode {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        dialog.current?.showModal();
        // What shall have the focus could not take it while the dialog was closed.
        dialog.current?.querySelector<HTMLElement>('[data-first]')?.focus();
    }, []);
    const close = (): void => dialog.current?.close();
    return (
        <dialog
            ref={dialog} className={wide ? 'card wide' : 'card'} aria-label={title} data-testid={testId}
            onClose={(event) => event.target === dialog.current && onClose()}
            onClick={(event) => {
                if (event.target === dialog.current) {
                    close();
                }
            }}
        >
            <div className="dialog-head">
                <h2 dir="auto">{title}</h2>
                <button type="button" className="icon-button" aria-label={say('chat_close')} data-testid="close-dialog" onClick={close}><CloseIcon/></button>
            </div>
            {typeof children === 'function' ? children(close) : children}
        </dialog>
    );
}
