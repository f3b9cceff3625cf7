/** Where the own call, and the word of its end, is on the screen: in its channel, or below all else. Pure. */

export type CallPlace = 'none' | 'stage' | 'bar';

export interface Circumstances {
    /** The page is in a call. */
    inCall: boolean;
    /** The call's channel is the open one. */
    inItsChannel: boolean;
    /** The list is shown instead of the channel, on narrow screens. */
    listShown: boolean;
    threadShown: boolean;
    /** One part at a time fits beside nothing else. */
    narrow: boolean;
    /** No room for stage and messages: a phone on its side, a keyboard, much enlarged text. */
    short: boolean;
    /** The person wants the call to fill the channel. */
    wide: boolean;
}

export function callPlace({inCall, inItsChannel, listShown, threadShown, narrow, short, wide}: Circumstances): CallPlace {
    if (!inCall) {
        return 'none';
    }
    return isChannelSeen({inItsChannel, listShown, threadShown, narrow}) && (!short || wide) ? 'stage' : 'bar';
}

/** The call's channel is the open one, and nothing lies over it. */
export function isChannelSeen({inItsChannel, listShown, threadShown, narrow}: Pick<Circumstances, 'inItsChannel' | 'listShown' | 'threadShown' | 'narrow'>): boolean {
    return inItsChannel && !(narrow && (listShown || threadShown));
}
