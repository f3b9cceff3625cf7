/** One person of the call as tiles and the list show them: the same state, in the same words. */
import type {UserProfile} from '@mattermost/types/users';
import {useMemo, useRef, type FocusEvent} from 'react';
import {useApp} from '../../state/app';
import {displayName} from '../../state/chat';
import {eased, gathered, inOrder, MANY, mayHost, sameParticipant, type Participant, type Person, type Rank} from '../../state/roster';
import {currentLanguage, listed, say} from '../../words/words';
import {useAtLeastEvery} from '../time';
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

/**
 * With many people the order changes only so often, by so many of them, and in a frame of its own: who changes the
 * group is drawn anew. It does not wait for a quiet moment longer than `PATIENCE_MS`.
 */
const REST_MS = 125;
const MOVES = 1;
const OWN_FRAME_MS = 50;
const PATIENCE_MS = 1000;

/** Everybody in the own call, in the order that all see. Entries carry `data-user`. */
export function useRoster(): Roster {
    const focused = useRef<{userId: string; rank: Rank} | null>(null);
    const shown = useRef<Order>(NO_ORDER);
    const call = useApp((state) => (state.active ? state.calls[state.active.channelId] : undefined));
    const spoke = useApp((state) => state.active?.spoke) ?? NOBODY_SPOKE;
    const meId = useApp((state) => state.chat.me?.id ?? '');
    const all = useMemo(() => (call ? gathered(call) : []), [call]);
    const many = all.length > MANY;
    const now = Math.max(Date.now(), ...Object.values(spoke));
    const held = new Map(focused.current ? [[focused.current.userId, focused.current.rank]] : []);
    let people = inOrder(all, {meId, spoke, now, held});
    let waits = false;
    if (many) {
        const since = now - shown.current.at;
        const rests = since < (shown.current.all === all ? REST_MS : PATIENCE_MS);
        const ranks = eased(people, shown.current.ranks, rests ? 0 : MOVES);
        const moved = people.some(({userId, rank}) => ranks.get(userId) === rank && shown.current.ranks.get(userId) !== rank);
        waits = people.some(({userId, rank}) => ranks.get(userId) !== rank);
        people = waits ? inOrder(all, {meId, spoke, now, held: ranks}) : people;
        shown.current = {all, ranks, at: moved ? now : shown.current.at};
    } else {
        shown.current = NO_ORDER;
    }
    // Who waits for a place gets it, and who spoke is forgotten by the clock.
    useAtLeastEvery(waits ? OWN_FRAME_MS : many ? 1000 : 5000);
    return {
        people,
        hold: {
            onFocus: ({target}) => {
                const userId = target.closest<HTMLElement>('[data-user]')?.dataset['user'];
                focused.current = people.find((person) => person.userId === userId) ?? null;
            },
            onBlur: () => {
                focused.current = null;
            },
        },
    };
}

/** What a list of people needs to know beside them; watched once for all of them. */
export interface Watched {
    users: Readonly<Record<string, UserProfile>>;
    meId: string;
    ownMuted: boolean;
    heard: Readonly<Record<string, SoundQuality>>;
    weak: boolean;
    hosts: boolean;
}

export function useWatched(): Watched {
    const users = useApp((state) => state.chat.users);
    const meId = useApp((state) => state.chat.me?.id ?? '');
    const ownMuted = useApp((state) => state.active?.muted ?? true);
    const heard = useApp((state) => state.active?.quality) ?? NONE_HEARD;
    const weak = useApp((state) => state.active?.weak ?? false);
    const hosts = useApp((state) => mayHost(state.active ? state.calls[state.active.channelId] : undefined, state.chat.me));
    return {users, meId, ownMuted, heard, weak, hosts};
}

/** What of many people was drawn last: in which groups, of whom, and since when nobody changed theirs. */
interface Order {
    all: readonly Person[];
    ranks: ReadonlyMap<string, Rank>;
    at: number;
}

const NO_ORDER: Order = {all: [], ranks: new Map(), at: 0};
const NOBODY_SPOKE: Readonly<Record<string, number>> = {};
const NONE_HEARD: Watched['heard'] = {};

/** What one entry shows. Plain values: an entry is drawn anew when one of them is another. */
export interface PersonProps {
    person: Participant;
    user: UserProfile | undefined;
    own: boolean;
    muted: boolean;
    quality: SoundQuality | null;
    /** Of oneself. */
    weak: boolean;
    hosts: boolean;
    language: string;
}

export function personProps(person: Participant, {users, meId, ownMuted, heard, weak, hosts}: Watched): PersonProps {
    const own = person.userId === meId;
    // The own state is shown at once, also while several own devices are in the call.
    const muted = own && person.sessionIds.length === 1 ? ownMuted : person.muted;
    const quality = own || muted ? null : worst(person.sessionIds.map((id) => heard[id]));
    return {person, user: users[person.userId], own, muted, quality, weak: own && weak, hosts, language: currentLanguage()};
}

/** For hundreds of entries, several times a second: without anything made on the way. */
export function samePerson<T extends PersonProps>(before: T, after: T): boolean {
    for (const name in after) {
        if (name !== 'person' && before[name] !== after[name]) {
            return false;
        }
    }
    return sameParticipant(before.person, after.person);
}

export function shownOf({person, user, own, muted, quality, weak}: PersonProps): Shown {
    const speaking = person.speaking && !muted;
    const name = displayName(user);
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
