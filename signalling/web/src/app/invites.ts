/** Links that bring people into the team: made, listed and withdrawn by those who manage it. */
import {api, type Invite} from '../api/rest';
import {store} from '../state/app';

export interface MadeInvite {
    link: string;
}

/** `seconds`: how long it is good; `uses`: for how many people, 0 for any number. */
export async function makeInvite(seconds: number, uses: number): Promise<MadeInvite> {
    const made = await api.makeInvite(store.get().chat.teamId, {expires_in_seconds: seconds, max_uses: uses});
    // A server that was told no address of its own gives the path only.
    return {link: new URL(made.url ?? '', location.origin).href};
}

/** Those that somebody may still come in by, the newest first. */
export async function listInvites(): Promise<readonly Invite[]> {
    const all = await api.getInvites(store.get().chat.teamId);
    return all.filter(({is_good: isGood}) => isGood).sort((a, b) => b.create_at - a.create_at);
}

export async function withdrawInvite(invite: Invite): Promise<void> {
    await api.withdrawInvite(invite.team_id, invite.id);
}
