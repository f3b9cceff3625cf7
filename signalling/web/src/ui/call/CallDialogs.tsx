/** The call's settings: sound and devices, keys. Open above everything, wherever the call is shown. */
import {useEffect, useRef, type ReactNode} from 'react';
import {showDialog} from '../../app/stage';
import {useApp} from '../../state/app';
import {say} from '../../words/words';
import {CloseIcon} from '../icons';
import {Later} from '../Later';

export function CallDialogs(): ReactNode {
    const dialog = useApp((state) => state.active?.dialog ?? null);
    const close = (): void => showDialog(null);
    switch (dialog) {
    case 'devices':
        return <Dialog title={say('call_devices')} testId="devices-dialog"><Later onFail={close}>{({DevicePicker}) => <DevicePicker/>}</Later></Dialog>;
    case 'shortcuts':
        return <Dialog title={say('call_keys')} testId="shortcuts-dialog"><Later onFail={close}>{({KeyList}) => <KeyList/>}</Later></Dialog>;
    case null:
        return null;
    }
}

function Dialog({title, testId, children}: {title: string; testId: string; children: ReactNode}): ReactNode {
    const dialog = useRef<HTMLDialogElement>(null);
    useEffect(() => {
        const before = document.activeElement;
        dialog.current?.showModal();
        return () => {
            // What opened it may be gone: the menu it was chosen from is.
            const back = before instanceof HTMLElement && before.isConnected && before !== document.body
                ? before : document.querySelector<HTMLElement>('[data-testid="call-more"], [data-testid="mute"]');
            requestAnimationFrame(() => back?.focus({preventScroll: true}));
        };
    }, []);
    return (
        <dialog
            ref={dialog} className="card call-dialog" aria-label={title} data-testid={testId} onClose={() => showDialog(null)}
            onClick={(event) => {
                if (event.target === dialog.current) {
                    dialog.current?.close();
                }
            }}
        >
            <div className="dialog-head">
                <h2>{title}</h2>
                <button type="button" className="icon-button" aria-label={say('call_close')} data-testid="close-dialog" onClick={() => dialog.current?.close()}><CloseIcon/></button>
            </div>
            {children}
        </dialog>
    );
}
