/** A button that asks once more before it acts. */
import {useState, type ReactNode} from 'react';
import {say} from '../../words/words';

export function Confirmed({label, testId, onConfirm}: {label: string; testId?: string; onConfirm: () => void}): ReactNode {
    const [asked, setAsked] = useState(false);
    return (
        <button type="button" className={asked ? 'danger' : ''} data-testid={testId} onBlur={() => setAsked(false)} onClick={() => {
            setAsked(!asked);
            if (asked) {
                onConfirm();
            }
        }}>
            {asked ? say('admin_sure', {what: label}) : label}
        </button>
    );
}
