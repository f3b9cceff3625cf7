/** What passes by in a call: captions, reactions, people who come and go. */
import {translateCaption} from '../api/calls';
import {ServerRefusal} from '../api/http';
import {emojiOf, readCaption, withCaption, withoutOldCaptions, type Caption} from '../state/active';
import {announce, store, updateActive} from '../state/app';
import {wantsTranslation, withLine, withTranslation} from '../state/captionlog';
import {displayName} from '../state/chat';
import {settings} from '../state/settings';
import {say} from '../words/words';
import {inPace} from './pace';
import {changeSettings} from './settings';

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
    forgetOld();
    if (wantsTranslation(caption, settings.get().captionLanguage) && store.get().active?.noTranslator === false) {
        void translate(caption, settings.get().captionLanguage);
    }
}

/** A wish is a new question to the server, which may have learnt to translate. */
export function readCaptionsIn(captionLanguage: string): void {
    changeSettings({captionLanguage});
    updateActive((active) => ({...active, noTranslator: false}));
}

/** What comes back after the line has gone from below the call is still in the history. */
async function translate(caption: Caption, language: string): Promise<void> {
    try {
        const text = await translateCaption(store.get().active?.channelId ?? '', caption.language, language, caption.text);
        updateActive((active) => ({
            ...active,
            captions: withTranslation(active.captions, caption, {language, text}).map((line) => (line.translated?.text === text ? {...line, at: Date.now()} : line)),
            captionLog: withTranslation(active.captionLog, caption, {language, text}),
        }));
        forgetOld();
    } catch (error) {
        if (error instanceof ServerRefusal && error.status === 501) {
            updateActive((active) => ({...active, noTranslator: true}));
        } else {
            console.warn('parley: a caption was not translated', error);
        }
    }
}

function forgetOld(): void {
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
    setTimeout(() => {
        const over = (): void => updateActive((active) => ({...active, reactions: active.reactions.filter((reaction) => reaction.id !== id)}));
        inPace(store.get().active?.channelId ?? '', over);
    }, REACTION_MS);
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
