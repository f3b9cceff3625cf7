/** What people answered a message with: how many, who, and by a click the same or taken back. */
import type {Post} from '@mattermost/types/posts';
import type {ReactNode} from 'react';
import {toggleReaction} from '../app/reactions';
import {useApp} from '../state/app';
import {displayName} from '../state/chat';
import {emojiNamed} from '../state/emoji';
import {reactionsOf, type ReactionGroup} from '../state/reactions';
import {currentLocale, say} from '../words/words';
import {Popover} from './call/Popover';
import {SmileIcon} from './icons';
import {Later} from './Later';

/** As many names as somebody reads. */
const MOST_NAMES = 12;

export function PostReactions({post}: {post: Post}): ReactNode {
    const groups = reactionsOf(post);
    return groups.length > 0 && (
        <ul className="post-reactions" aria-label={say('chat_reactions')} data-testid="post-reactions">
            {groups.map((group) => <li key={group.name}><Chip post={post} group={group}/></li>)}
        </ul>
    );
}

function Chip({post, group: {name, userIds}}: {post: Post; group: ReactionGroup}): ReactNode {
    const who = useApp(({chat}) => namesOf(userIds.map((id) => displayName(chat.users[id]))));
    const mine = useApp(({chat}) => userIds.includes(chat.me?.id ?? ''));
    const emoji = emojiNamed(name) ?? `:${name}:`;
    return (
        <button
            type="button" className="reaction-chip" aria-pressed={mine} title={who} data-testid={`reaction-${name}`} data-count={userIds.length}
            aria-label={`${emoji} ${userIds.length}: ${who}`} onClick={() => void toggleReaction(post, name)}
        >
            <span aria-hidden="true">{emoji}</span><span className="tabular">{userIds.length}</span>
        </button>
    );
}

function namesOf(names: readonly string[]): string {
    const rest = names.length - MOST_NAMES;
    const told = rest > 0 ? [...names.slice(0, MOST_NAMES), say('chat_others', {count: rest})] : names;
    return new Intl.ListFormat(currentLocale()).format(told);
}

/** Opens the choice of emoji. */
export function AddReaction({post}: {post: Post}): ReactNode {
    return (
        <Popover
            label={say('chat_react')} testId="reaction-picker" className="reaction-picker"
            button={(trigger) => (
                <button {...trigger} type="button" className="icon-button" aria-label={say('chat_react')} title={say('chat_react')} data-testid="add-reaction"><SmileIcon/></button>
            )}
        >
            {(close) => (
                <Later onFail={close}>
                    {({ReactionPicker}) => <ReactionPicker onPick={(name) => {
                        close();
                        void toggleReaction(post, name);
                    }}/>}
                </Later>
            )}
        </Popover>
    );
}
