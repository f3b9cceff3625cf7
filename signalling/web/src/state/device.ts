/** What a sign-in was made with, as far as the server says: the names that Mattermost gives them. Pure. */
import type {Session} from '@mattermost/types/sessions';

/** `Firefox, Linux`; `phone` for one that a push relay reaches; empty where nothing is known. */
export function deviceIn(session: Pick<Session, 'device_id' | 'props'>, phone: string): string {
    const props = session.props as Readonly<Record<string, unknown>> | undefined;
    const named = ['browser', 'os'].map((name) => props?.[name]).filter((value): value is string => typeof value === 'string' && value !== '');
    return [...(session.device_id ? [phone] : []), ...named].join(', ');
}
