/** Puts text on the clipboard and says so; whether it is there. */
import {announce, patch} from '../state/app';
import {say} from '../words/words';

export async function copy(text: string): Promise<boolean> {
    try {
        await navigator.clipboard.writeText(text);
        announce(say('chat_copied'));
        return true;
    } catch {
        patch({fault: say('chat_not_copied')});
        return false;
    }
}
