/** One person of the call as tiles and the list show them: the same state, in the same words. */
import {useRef, type FocusEvent} from 'react';
import {useApp} from '../../state/app';
import {displayName} from '../../state/chat';
import {roster, type Onlooker, type Participant} from '../../state/roster';
import {listed, say} from '../../words/words';
import {useNow} from '../time';
import type {SoundQuality} from '../../peer/quality';

export interface Shown {
    key: string;
    name: string;
    own: boolean;
    muted: boolean;
    speaking: boolean;
    /** How their sound arrives here; null while that is not known. */
    quality: SoundQuality | null;
    /** The same in words; of oneself, that the own connection is weak. */
    qualityText: string;
    /** All of it in words, the name first. */
    label: string;
}

interface Roster {
    people: readonly Participant[];
    /** For the list: whose entry has the focus keeps its place, and the focus with it. */
    hold: {onFocus: (event: FocusEvent) => void; onBlur: () => void};
}

/** Everybody in the own call, in the order that all see. Entries carry `data-user`. */
export function useRoster(): Roster {
    const held = useRef<Onlooker['held']>(null);
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const spoke = useApp((state) => state.active?.spoke);
    const meId = useApp((state) => state.chat.me?.id ?? '');
    const now = useNow(5000);
    const people = call ? roster(call, {meId, spoke: spoke ?? {}, now: Math.max(now, ...Object.values(spoke ?? {})), held: held.current}) : [];
    return {
        people,
        hold: {
            onFocus: ({target}) => {
                const userId = target.closest<HTMLElement>('[data-user]')?.dataset['user'];
                held.current = people.find((person) => person.userId === userId) ?? null;
            },
            onBlur: () => {
                held.current = null;
            },
        },
    };
}

export function useShown(person: Participant): Shown {
    const user = useApp((state) => state.chat.users[person.userId]);
    const own = useApp((state) => person.userId === state.chat.me?.id);
    const ownMuted = useApp((state) => state.active?.muted ?? true);
    const heard = useApp((state) => state.active?.quality);
    const weak = useApp((state) => state.active?.weak ?? false);
    // The own state is shown at once, also while several own devices are in the call.
    const muted = own && person.sessionIds.length === 1 ? ownMuted : person.muted;
    const speaking = person.speaking && !muted;
    const name = displayName(user);
    const quality = own || muted ? null : worst(person.sessionIds.map((id) => heard?.[id]));
    const qualityText = own ? (weak ? say('call_quality_own_weak') : '') : quality ? qualityWords(quality) : '';
    const label = listed([
        own ? say('call_person_you', {name}) : name,
        person.isHost ? say('call_person_host') : '',
        muted ? say('call_person_muted') : say('call_person_unmuted'),
        speaking ? say('call_person_speaking') : '',
        person.raisedHand > 0 ? say('call_person_hand') : '',
        person.cameraSessionId !== '' ? say('call_person_camera') : '',
        person.isSharing ? say('call_person_sharing') : '',
        quality === 'good' ? '' : qualityText,
    ]);
    return {key: user?.username ?? person.userId, name, own, muted, speaking, quality, qualityText, label};
}

function qualityWords(quality: SoundQuality): string {
    switch (quality) {
    case 'good':
        return say('call_quality_good');
    case 'gaps':
        return say('call_quality_gaps');
    case 'poor':
        return say('call_quality_poor');
    }
}

export function roleWords({own}: {own: boolean}, {isHost}: Participant): string {
    return [own ? say('call_you') : '', isHost ? say('call_host') : ''].filter((part) => part !== '').join(' · ');
}

function worst(found: readonly (SoundQuality | undefined)[]): SoundQuality | null {
    return (['poor', 'gaps', 'good'] as const).find((quality) => found.includes(quality)) ?? null;
}
