/** Before a call that a link led to: who is in it, whether one is heard at once, and the devices. */
import {useState, type ReactNode} from 'react';
import {useApp} from '../state/app';
import {displayName} from '../state/chat';
import {isPersonal} from '../state/ringing';
import {listed, say} from '../words/words';
import {DevicePicker} from './call/DevicePicker';
import {PhoneIcon} from './icons';

interface Props {
    channelId: string;
    onJoin: (unmuted: boolean) => void;
    onNo: () => void;
}

export function Lobby({channelId, onJoin, onNo}: Props): ReactNode {
    const personal = useApp((state) => isPersonal(state.chat.channels[channelId]));
    const ofTwo = useApp((state) => state.chat.channels[channelId]?.type === 'D');
    const running = useApp((state) => state.calls[channelId] !== undefined);
    const [unmuted, setUnmuted] = useState(personal);
    return (
        <div className="lobby" data-testid="lobby">
            <WhoIsIn channelId={channelId}/>
            <DevicePicker inLobby withCamera={ofTwo}/>
            <label className="check">
                <input type="checkbox" data-testid="lobby-unmuted" checked={unmuted} onChange={(event) => setUnmuted(event.target.checked)}/>{say('bar_lobby_unmuted')}
            </label>
            <div className="dialog-actions">
                <button type="button" data-testid="lobby-cancel" onClick={onNo}>{say('bar_lobby_no')}</button>
                <button type="button" className="primary" autoFocus data-testid="lobby-join" onClick={() => onJoin(unmuted)}><PhoneIcon/>{say(running ? 'bar_join' : 'bar_start')}</button>
            </div>
        </div>
    );
}

function WhoIsIn({channelId}: {channelId: string}): ReactNode {
    const text = useApp((state) => {
        const ids = [...new Set(Object.values(state.calls[channelId]?.sessions ?? {}).map(({userId}) => userId))];
        const names = listed(ids.slice(0, 3).map((id) => displayName(state.chat.users[id])));
        const more = ids.length - 3;
        return ids.length === 0 ? say('bar_lobby_empty') : more > 0 ? say('bar_lobby_more', {names, count: more}) : say('bar_lobby_with', {names});
    });
    return <p>{text}</p>;
}
