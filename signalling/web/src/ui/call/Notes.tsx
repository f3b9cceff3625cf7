/** What was done to the person by a host or a device, and that nobody hears them. */
import type {ReactNode} from 'react';
import {toggleMute} from '../../app/incall';
import {dismissNote} from '../../app/notes';
import {useApp} from '../../state/app';
import {useSettings} from '../../state/settings';
import {labelOf} from '../../state/shortcuts';
import {say} from '../../words/words';
import {CloseIcon, MicOffIcon} from '../icons';
import {onMac} from './shortcuts';

/** Announced when they came, hence not live. */
export function Notes(): ReactNode {
    const notes = useApp((state) => state.active?.notes);
    return notes?.map(({id, kind, text}) => (
        <div key={id} className="notice" data-testid="call-note" data-kind={kind}>
            <p className="grow">{text}</p>
            <button type="button" className="icon-button" aria-label={say('call_dismiss')} onClick={() => dismissNote(id)}><CloseIcon/></button>
        </div>
    ));
}

/** Speaking, and nobody hears it. */
export function TalkingMuted(): ReactNode {
    const talking = useApp((state) => (state.active?.talkingMuted ?? false) && (state.active?.muted ?? false));
    const key = useSettings((settings) => (settings.shortcutsOn ? settings.keys.mute : ''));
    if (!talking) {
        return null;
    }
    // A phone has no such keys.
    const text = key === '' || matchMedia('(hover: none) and (pointer: coarse)').matches ? say('call_muted_hint') : say('call_muted_hint_key', {key: labelOf(key, onMac())});
    return (
        <div className="notice muted-hint" role="status" data-testid="muted-hint" title={text}>
            <MicOffIcon/>
            <p className="grow">{text}</p>
            <button type="button" data-testid="muted-hint-unmute" onClick={() => void toggleMute()}>{say('call_unmute')}</button>
        </div>
    );
}
