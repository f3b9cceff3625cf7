/** How a screen is shared: with its sound or without, for sharp letters or for smooth movement. */
import type {ReactNode} from 'react';
import {setScreenHint, setShareSound} from '../../app/incall';
import {useApp} from '../../state/app';
import {say} from '../../words/words';
import {OptionsIcon} from '../icons';
import {Popover} from './Popover';

const HINTS = [['detail', 'screen_detail'], ['motion', 'screen_motion']] as const;

export function ShareOptions(): ReactNode {
    const share = useApp((state) => state.share);
    return (
        <Popover label={say('screen_options')} testId="share-box" className="share-box" button={(trigger) => (
            <button {...trigger} type="button" className="icon-button share-options" aria-label={say('screen_options')} title={say('screen_options')} data-testid="share-options"><OptionsIcon/></button>
        )}>
            {() => (
                <>
                    <label className="check">
                        <input type="checkbox" checked={share.sound} data-testid="share-sound" onChange={(event) => setShareSound(event.target.checked)}/>
                        {say('screen_sound')}
                    </label>
                    {HINTS.map(([hint, words]) => (
                        <label className="check" key={hint}>
                            <input type="radio" name="share-hint" checked={share.hint === hint} data-testid={`share-${hint}`} onChange={() => setScreenHint(hint)}/>
                            {say(words)}
                        </label>
                    ))}
                </>
            )}
        </Popover>
    );
}
