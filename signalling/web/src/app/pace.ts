/** How often the screen follows what happens in the own call. */
import {store} from '../state/app';
import {MANY} from '../state/roster';

/** In a large call: nobody sees a tenth of a second, and each time costs. */
const MANY_MS = 100;

/** Once a frame, however many things happen; in a large call a tenth of a second apart. */
export function inPace(channelId: string, act: () => void): void {
    const sessions = store.get().calls[channelId]?.sessions ?? {};
    store.gather(act, Object.keys(sessions).length > MANY ? MANY_MS : 0);
}
