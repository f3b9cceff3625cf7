/** People and channels by the names that messages use. Each index is made once per state. */
import type {Channel} from '@mattermost/types/channels';
import type {UserProfile} from '@mattermost/types/users';

type Users = Readonly<Record<string, UserProfile>>;
type Channels = Readonly<Record<string, Channel>>;

const people = new WeakMap<Users, Map<string, UserProfile>>();
const rooms = new WeakMap<Channels, Map<string, Channel>>();

export function personNamed(users: Users, username: string): UserProfile | undefined {
    return indexed(people, users, (user) => user.username).get(username);
}

export function channelNamed(channels: Channels, name: string): Channel | undefined {
    return indexed(rooms, channels, (channel) => channel.name).get(name);
}

function indexed<T>(made: WeakMap<Readonly<Record<string, T>>, Map<string, T>>, all: Readonly<Record<string, T>>, nameOf: (one: T) => string): Map<string, T> {
    let index = made.get(all);
    if (!index) {
        index = new Map(Object.values(all).map((one) => [nameOf(one), one]));
        made.set(all, index);
    }
    return index;
}
