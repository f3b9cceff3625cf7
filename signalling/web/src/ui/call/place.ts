/** Whether the stage of the own call or its bar is on the screen: one of the two, so each control exists once. */
import {useApp} from '../../state/app';
import {callPlace, type CallPlace} from '../../state/place';
import {useViewport} from '../viewport';

export function useCallPlace(): CallPlace {
    const {narrow, short} = useViewport();
    return useApp(({active, chat, view}) => callPlace({
        inCall: active !== null,
        inItsChannel: active?.channelId === chat.channelId,
        listShown: view === 'list',
        threadShown: chat.threadId !== '',
        narrow,
        short,
        wide: active?.wide ?? false,
    }));
}
