import type {Post} from '@mattermost/types/posts';
import type {UserThreadList, UserThreadWithPost} from '@mattermost/types/threads';
import type {ChannelMembership, ServerChannel} from '@mattermost/types/channels';
import {describe, expect, test} from 'vitest';
import {isAtThreads, placeOf} from '../src/app/location';
import {emptyChat, opened, openedThreads, withArrival, withChannels, withMemberships} from '../src/state/chat';
import {
    emptyThreads, isFollowed, lineAfter, listedThreads, readThread, withAllRead, withoutThread, withoutThreadsOf, withThread, withThreadPage, withThreadRead, type Threads,
} from '../src/state/threads';

const told = (id: string, fields: Partial<UserThreadWithPost> = {}, channel = 'c'): UserThreadWithPost => ({
    id, reply_count: 1, last_reply_at: 10, last_viewed_at: 0, participants: [{id: 'ben'}], unread_replies: 0, unread_mentions: 0, is_following: true,
    post: {id, channel_id: channel, user_id: 'anna', message: id} as Post, ...fields,
});
const page = (threads: UserThreadWithPost[], unread = 0, mentions = 0): UserThreadList => ({threads, total: threads.length, total_unread_threads: unread, total_unread_mentions: mentions});
const sums = ({unreadThreads, mentions}: Threads): number[] => [unreadThreads, mentions];

describe('followed threads', () => {
    const known = withThreadPage(emptyThreads, page([told('a', {last_reply_at: 5, unread_replies: 2, unread_mentions: 1}), told('b', {last_reply_at: 9}), told('n', {reply_count: 0})], 4, 3), 3, true);

    test('stand with the newest answer first; one without answers is followed and not listed', () => {
        expect(listedThreads(known, false).map(([id]) => id)).toEqual(['b', 'a']);
        expect(listedThreads(known, true).map(([id]) => id)).toEqual(['a']);
        expect([isFollowed(known, 'n', 0), isFollowed(known, 'x', 3), known.complete]).toEqual([true, null, false]);
        const all = withThreadPage(known, page([told('z')], 4, 3), 3, false);
        expect([isFollowed(all, 'x', 3), isFollowed(all, 'x', 0), isFollowed(all, 'a', 1)]).toEqual([false, null, true]);
    });

    test('an answer counts once, also in a thread of which nothing was known', () => {
        const more = withThread(known, 'b', readThread(told('b', {unread_replies: 1, unread_mentions: 1})), {unread: 7, mentions: 7});
        expect(sums(more)).toEqual([5, 4]);
        expect(sums(withThread(more, 'b', readThread(told('b', {unread_replies: 2, unread_mentions: 1}))))).toEqual([5, 4]);
        expect(sums(withThread(known, 'y', readThread(told('y', {unread_replies: 1})), {unread: 0, mentions: 0}))).toEqual([5, 3]);
        // Looked up because it was opened: the sums hold it already.
        expect(sums(withThread(known, 'y', readThread(told('y', {unread_replies: 1}))))).toEqual([4, 3]);
    });

    test('reading takes away what was unread, and it can be made unread again', () => {
        const read = withThreadRead(known, 'a', 20, {unread: 0, mentions: 0}, {unread: 2, mentions: 1});
        expect([sums(read), read.byId['a']?.viewedAt]).toEqual([[3, 2], 20]);
        expect(sums(withThreadRead(read, 'a', 4, {unread: 1, mentions: 0}, {unread: 0, mentions: 0}))).toEqual([4, 2]);
        expect(sums(withThreadRead(known, 'far', 4, {unread: 0, mentions: 0}, {unread: 3, mentions: 2}))).toEqual([3, 1]);
        expect(sums(withAllRead(known, 30))).toEqual([0, 0]);
        expect(sums(withAllRead(known, 30, 'other'))).toEqual([4, 3]);
        expect(sums(withAllRead(known, 30, 'c'))).toEqual([3, 2]);
    });

    test('one that is not followed any more goes with what was unread of it', () => {
        const less = withoutThread(known, 'a');
        expect([sums(less), isFollowed(less, 'a', 1)]).toEqual([[3, 2], false]);
        expect(isFollowed(withThread(less, 'a', readThread(told('a'))), 'a', 1)).toBe(true);
        expect(listedThreads(withoutThreadsOf(known, 'c'), false)).toEqual([]);
    });
});

test('the line of what is new stands where one had read to, not before what comes in sight', () => {
    const none = {rootId: '', viewed: -1, at: 0};
    const opened = lineAfter(none, 'a', 50, true, false);
    expect(opened.at).toBe(50);
    const read = lineAfter(opened, 'a', 70, false, false);
    expect(read.at).toBe(50);
    expect(lineAfter(read, 'a', 70, true, false).at).toBe(50);
    const again = lineAfter(lineAfter(none, 'a', 70, false, false), 'a', 70, true, false);
    expect(again.at).toBe(0);
    expect(lineAfter(again, 'a', 70, true, true).at).toBe(70);
    expect(lineAfter(again, 'a', 40, true, false).at).toBe(40);
    expect(lineAfter(opened, 'b', -1, false, false).at).toBe(0);
    expect(lineAfter(lineAfter(opened, 'b', -1, false, false), 'b', 30, true, false).at).toBe(30);
});

describe('answers apart from the channel', () => {
    const channel = {id: 'c', type: 'O', name: 'talk', display_name: 'Talk', total_msg_count: 12, total_msg_count_root: 5} as ServerChannel;
    const member = {channel_id: 'c', msg_count: 3, msg_count_root: 4, mention_count: 6, mention_count_root: 2, last_viewed_at: 1} as ChannelMembership;
    const answer = {id: 'r', channel_id: 'c', user_id: 'ben', root_id: 'p', create_at: 4, update_at: 4, message: '', type: ''} as Post;

    test.each([[false, 9, 6, 10], [true, 1, 2, 1]])('are counted as the person prefers (%s)', (apart, unread, mentions, later) => {
        const chat = withMemberships(withChannels({...emptyChat, apart}, [channel]), [member]);
        expect([chat.unread['c'], chat.mentions['c']]).toEqual([unread, mentions]);
        expect(withArrival(chat, answer, false).unread['c']).toBe(later);
    });

    test('the list takes the place of a channel until one is opened', () => {
        const listed = openedThreads({...emptyChat, channelId: 'c', threadId: 'p'});
        expect([listed.channelId, listed.threadId, listed.threadsOpen, opened(listed, 'c').threadsOpen]).toEqual(['', '', true, false]);
        expect([isAtThreads({hash: '#/threads'}), isAtThreads({hash: '#/channels/threads'}), placeOf({hash: '#/threads', pathname: '/', search: ''}).channel]).toEqual([true, false, '']);
    });
});
