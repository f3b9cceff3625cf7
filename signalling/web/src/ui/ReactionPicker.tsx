/** The choice of an emoji: those that answer most things, and all others by their name. */
import {useState, type KeyboardEvent, type ReactNode} from 'react';
import {emojiMatching, emojiNamed} from '../state/emoji';
import {say} from '../words/words';

const USUAL = ['+1', 'heart', 'joy', 'tada', 'pray', 'eyes', 'white_check_mark', 'x', 'clap', 'thinking_face', 'open_mouth', 'cry', 'rocket', 'fire', 'wave', '-1'];
const MOST = 32;

export function ReactionPicker({onPick}: {onPick: (name: string) => void}): ReactNode {
    const [term, setTerm] = useState('');
    const wanted = term.trim().replace(/:/g, '');
    const found = wanted === '' ? USUAL.map((name) => ({name, emoji: emojiNamed(name) ?? ''})) : emojiMatching(wanted, MOST);
    const keyDown = (event: KeyboardEvent): void => {
        const first = found[0];
        if (event.key === 'Enter' && first && wanted !== '') {
            event.preventDefault();
            onPick(first.name);
        }
    };
    return (
        <>
            <input
                type="search" data-first autoFocus value={term} placeholder={say('chat_find_emoji')} aria-label={say('chat_find_emoji')} data-testid="find-emoji"
                autoComplete="off" onChange={(event) => setTerm(event.target.value)} onKeyDown={keyDown}
            />
            <div className="emoji-grid" role="group" aria-label={say('chat_reactions')}>
                {found.map(({name, emoji}) => (
                    <button key={name} type="button" className="emoji" aria-label={`${emoji} ${name.replace(/_/g, ' ')}`} title={`:${name}:`} data-testid={`pick-${name}`} onClick={() => onPick(name)}>{emoji}</button>
                ))}
            </div>
            <p role="status" className={found.length === 0 ? 'muted center' : 'visually-hidden'}>{found.length === 0 ? say('chat_no_emoji') : ''}</p>
        </>
    );
}
