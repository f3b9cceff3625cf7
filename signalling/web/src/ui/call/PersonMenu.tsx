/**
 * What can be done about one person of the call: how loud they are for oneself, and, for hosts, what
 * the server then asks of them.
 */
import type {UserProfile} from '@mattermost/types/users';
import {useState, type ReactNode} from 'react';
import {lowerHandAsHost, makeHost, muteAsHost, muteOthers, removeAsHost, stopScreenAsHost} from '../../app/host';
import {setVolume} from '../../app/settings';
import {displayName} from '../../state/chat';
import type {Participant} from '../../state/roster';
import {useSettings, volumeOf} from '../../state/settings';
import {say} from '../../words/words';
import {percent} from '../time';
import {MoreIcon} from '../icons';
import {Popover} from './Popover';

interface MenuProps {
    person: Participant;
    user: UserProfile | undefined;
    own: boolean;
    /** Who looks may do what hosts may. */
    hosts: boolean;
}

export function PersonMenu({person, user, own, hosts}: MenuProps): ReactNode {
    // Of oneself nothing is left to change but what hosts may.
    if (own && !hosts) {
        return null;
    }
    const label = say('call_menu_of', {name: displayName(user)});
    const key = user?.username ?? person.userId;
    return (
        <Popover
            label={label} testId={`person-actions-${key}`} className="person-actions"
            button={(trigger) => (
                <button {...trigger} type="button" className="icon-button person-menu" aria-label={label} title={label} data-testid={`person-menu-${key}`}>
                    <MoreIcon/>
                </button>
            )}
        >
            {(close) => <Actions person={person} name={displayName(user)} own={own} hosts={hosts} close={close}/>}
        </Popover>
    );
}

interface ActionsProps {
    person: Participant;
    name: string;
    own: boolean;
    hosts: boolean;
    close: () => void;
}

function Actions({person, name, own, hosts, close}: ActionsProps): ReactNode {
    const [removing, setRemoving] = useState(false);
    const act = (what: Promise<void>): void => {
        close();
        void what;
    };
    const remove = (): void => {
        close();
        // Their entry goes, and its button with it.
        document.querySelector<HTMLElement>('[data-testid="participants"]')?.focus({preventScroll: true});
        void removeAsHost(person);
    };
    if (removing) {
        return (
            <>
                <p className="menu-title">{say('call_remove_question', {name})}</p>
                <MenuButton testId="host-remove-confirm" text={say('call_remove_confirm')} danger onClick={remove}/>
                <MenuButton testId="host-remove-cancel" text={say('call_cancel')} onClick={close}/>
            </>
        );
    }
    return (
        <>
            <p className="menu-title" dir="auto">{name}</p>
            {!own && <Loudness userId={person.userId} name={name}/>}
            {hosts && (
                <>
                    {!own && !person.muted && <MenuButton testId="host-mute" text={say('call_host_mute')} onClick={() => act(muteAsHost(person))}/>}
                    <MenuButton testId="host-mute-others" text={say('call_host_mute_others')} onClick={() => act(muteOthers())}/>
                    {!own && person.raisedHand > 0 && <MenuButton testId="host-lower-hand" text={say('call_host_lower_hand')} onClick={() => act(lowerHandAsHost(person))}/>}
                    {!own && person.isSharing && <MenuButton testId="host-screen-off" text={say('call_host_screen_off')} onClick={() => act(stopScreenAsHost(person))}/>}
                    {!person.isHost && <MenuButton testId="host-make" text={own ? say('call_host_make_me') : say('call_host_make')} onClick={() => act(makeHost(person))}/>}
                    {!own && <MenuButton testId="host-remove" text={say('call_host_remove')} danger onClick={() => setRemoving(true)}/>}
                </>
            )}
        </>
    );
}

function Loudness({userId, name}: {userId: string; name: string}): ReactNode {
    const volume = useSettings((settings) => volumeOf(settings, userId));
    return (
        <label className="loudness">
            <span>{say('call_volume')}</span>
            <input
                type="range" min="0" max="100" step="5" value={Math.round(volume * 100)} data-testid="volume" data-first
                aria-label={say('call_volume_of', {name})} onChange={(event) => setVolume(userId, Number(event.target.value) / 100)}
            />
            <span className="tabular" aria-hidden="true">{percent(volume)}</span>
        </label>
    );
}

export function MenuButton({testId, text, onClick, danger = false, disabled = false}: {testId: string; text: string; onClick: () => void; danger?: boolean; disabled?: boolean | undefined}): ReactNode {
    return <button type="button" className="menu-item" data-danger={danger} data-testid={testId} disabled={disabled} onClick={onClick}>{text}</button>;
}
