/** What passes by in a call: captions, reactions, people who come and go. */
import {emojiOf, readCaption, withCaption, withoutOldCaptions} from '../state/active';
import {announce, store, updateActive} from '../state/app';
import {withLine} from '../state/captionlog';
import {displayName} from '../state/chat';
import {say} from '../words/words';

const CAPTION_MS = 5000;
const REACTION_MS = 4000;
/** Who just came may still have to be looked up; later than this the news is old. */
const NAME_MS = 3000;

let nextReaction = 1;

export function showCaption(data: Record<string, unknown>): void {
    const caption = readCaption(data, Date.now());
    if (!caption) {
        return;
    }
    updateActive((active) => ({...withCaption(active, caption), captionLog: withLine(active.captionLog, caption)}));
    setTimeout(() => updateActive((active) => withoutOldCaptions(active, Date.now(), CAPTION_MS)), CAPTION_MS + 20);
}

export function showReaction(data: Record<string, unknown>): void {
    const emoji = emojiOf(data['emoji']);
    if (emoji === '') {
        return;
    }
    const id = nextReaction++;
    const userId = String(data['user_id'] ?? '');
    updateActive((active) => ({...active, reactions: [...active.reactions.slice(-19), {id, userId, emoji}]}));
    announce(say('call_told_reaction', {name: nameOf(userId), emoji}));
    setTimeout(() => updateActive((active) => ({...active, reactions: active.reactions.filter((reaction) => reaction.id !== id)})), REACTION_MS);
}

export function announceMove(data: Record<string, unknown>, what: 'call_told_joined' | 'call_told_left'): void {
    if (data['session_id'] === store.get().active?.sessionId) {
        return;
    }
    const userId = String(data['user_id'] ?? '');
    const tell = (): void => announce(say(what, {name: nameOf(userId)}));
    if (store.get().chat.users[userId]) {
        tell();
    } else {
        void store.until(({chat}) => chat.users[userId] !== undefined, NAME_MS).then(tell);
    }
}

function nameOf(userId: string): string {
    return displayName(store.get().chat.users[userId]);
}
