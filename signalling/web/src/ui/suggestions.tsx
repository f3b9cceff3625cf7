/** People, emoji and commands offered while one writes `@`, `:` or `/`; the field keeps the focus. */
import {useEffect, useId, useState, type KeyboardEvent, type ReactNode} from 'react';
import {completeCommand, completePeople} from '../app/rooms';
import {announce} from '../state/app';
import {queryAt, withChoice} from '../state/complete';
import {displayName} from '../state/chat';
import {emojiMatching} from '../state/emoji';
import {say, type Key} from '../words/words';
import {Avatar} from './Avatar';

interface Choice {
    /** What is put into the text. */
    text: string;
    testId: string;
    label: ReactNode;
}

export interface Suggesting {
    open: boolean;
    id: string;
    active: string | undefined;
    list: ReactNode;
    /** True when the key was for the list. */
    keyDown: (event: KeyboardEvent) => boolean;
    close: () => void;
}

const DELAY_MS = 120;
const MOST = 8;
/** All that may follow `/call` are seen at once. */
const MOST_COMMANDS = 12;
const DESCRIBED: Readonly<Record<string, Key>> = {
    'call': 'chat_command_call',
    'call start': 'chat_command_start',
    'call join': 'chat_command_join',
    'call leave': 'chat_command_leave',
    'call end': 'chat_command_end',
    'call link': 'chat_command_link',
    'call stats': 'chat_command_stats',
    'call logs': 'chat_command_logs',
    'call recording': 'chat_command_recording',
    'call recording start': 'call_record_hint',
    'call recording stop': 'call_record_stop',
    'call recording pause': 'record_pause',
    'call recording resume': 'record_resume',
    'call host': 'chat_command_host',
};

export function useSuggestions(channelId: string, text: string, cursor: number, onChoose: (text: string, cursor: number) => void): Suggesting {
    const id = useId();
    const query = queryAt(text, cursor);
    const [found, setFound] = useState<{key: string; choices: readonly Choice[]}>({key: '', choices: []});
    const [at, setAt] = useState(0);
    const [closed, setClosed] = useState('');
    const key = query ? `${query.kind}/${query.from}/${query.term}` : '';
    const kind = query?.kind;
    const term = query?.term ?? '';
    useEffect(() => {
        if (!kind) {
            return undefined;
        }
        let wanted = true;
        const show = (choices: readonly Choice[]): void => {
            if (wanted) {
                setFound({key, choices});
                setAt(0);
                if (choices.length > 0) {
                    announce(say('chat_suggestions', {count: choices.length}));
                }
            }
        };
        const timer = setTimeout(() => {
            if (kind === 'command') {
                void commandsFor(channelId, term).then(show);
            } else if (kind === 'emoji') {
                show(emojiMatching(term, MOST).map(({name, emoji}) => ({text: `:${name}:`, testId: `suggestion-${name}`, label: <><span>{emoji}</span><span>:{name}:</span></>})));
            } else {
                void peopleFor(channelId, term).then(show);
            }
        }, DELAY_MS);
        return () => {
            wanted = false;
            clearTimeout(timer);
        };
    }, [channelId, kind, term, key]);
    // Offers of fewer letters stay until there are better ones; a command may be whole by now, and is sent then.
    const fits = kind === 'command' ? found.key === key : found.key.split('/')[0] === kind;
    const choices = query && closed !== key && fits ? found.choices : [];
    const open = choices.length > 0;
    const choose = (choice: Choice | undefined): void => {
        if (query && choice) {
            const next = withChoice(text, cursor, query, choice.text);
            onChoose(next.text, next.cursor);
        }
    };
    const keyDown = (event: KeyboardEvent): boolean => {
        if (!open || event.nativeEvent.isComposing) {
            return false;
        }
        switch (event.key) {
        case 'ArrowDown':
        case 'ArrowUp':
            setAt((at + (event.key === 'ArrowDown' ? 1 : -1) + choices.length) % choices.length);
            break;
        case 'Enter':
        case 'Tab':
            choose(choices[at]);
            break;
        case 'Escape':
            setClosed(key);
            event.stopPropagation();
            break;
        default:
            return false;
        }
        event.preventDefault();
        return true;
    };
    const list = open && (
        <ul className="suggestions" role="listbox" id={id} aria-label={say('chat_suggestions_title')} data-testid="suggestions">
            {choices.map((choice, index) => (
                <li
                    key={choice.text} ref={index === at ? inSight : undefined} id={`${id}-${index}`} role="option" aria-selected={index === at} data-testid={choice.testId}
                    onMouseDown={(event) => {
                        event.preventDefault(); // the field keeps the focus
                        choose(choice);
                    }}
                >
                    {choice.label}
                </li>
            ))}
        </ul>
    );
    return {open, id, active: open ? `${id}-${at}` : undefined, list, keyDown, close: () => setClosed(key)};
}

function inSight(option: HTMLElement | null): void {
    option?.scrollIntoView({block: 'nearest'});
}

async function commandsFor(channelId: string, typed: string): Promise<Choice[]> {
    try {
        const offers = await completeCommand(channelId, typed);
        return offers.filter(({Complete}) => `/${Complete}` !== typed.trimEnd()).slice(0, MOST_COMMANDS).map((offer) => ({
            text: `/${offer.Complete}`, testId: `suggestion-${offer.Suggestion}`,
            label: <><strong dir="ltr">/{offer.Complete} {offer.Hint}</strong><span className="muted ellipsis">{describedOffer(offer.Complete) ?? offer.Description}</span></>,
        }));
    } catch {
        return []; // writing goes on without
    }
}

/** What we have words for; other commands bring the server's own. */
function describedOffer(line: string): string | undefined {
    const key = DESCRIBED[line];
    return key && say(key);
}

async function peopleFor(channelId: string, term: string): Promise<Choice[]> {
    const groups = ['channel', 'all', 'here'].filter((name) => term !== '' && name.startsWith(term.toLowerCase()))
        .map((name) => ({text: `@${name}`, testId: `suggestion-${name}`, label: <><strong>@{name}</strong><span className="muted">{say('chat_everybody')}</span></>}));
    try {
        const users = await completePeople(channelId, term);
        return [...users.map((user) => ({
            text: `@${user.username}`, testId: `suggestion-${user.username}`,
            label: <><Avatar name={displayName(user)} id={user.id}/><bdi className="ellipsis">{displayName(user)}</bdi><bdi className="muted">@{user.username}</bdi></>,
        })), ...groups].slice(0, MOST);
    } catch {
        return groups; // writing goes on without
    }
}
