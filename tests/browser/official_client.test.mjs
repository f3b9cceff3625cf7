// `@mattermost/client`, as Mattermost publishes it, drives our server: what it sends is answered as it
// expects, and what happens in a call reaches its WebSocket.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'

import { Rest } from './harness/rest.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const { Client4, WebSocketClient } = createRequire(import.meta.url)('@mattermost/client')

const CALLS = 'custom_com.mattermost.calls_'
const [ANNA, BEN] = [0, 1]

/** A person with that client: REST and WebSocket. */
async function open(url, account) {
  const rest = new Client4()
  rest.setUrl(url)
  const me = await rest.login(account.username, account.password)
  const events = []
  // In a browser a cookie signs the socket in; here its token does.
  const socket = new WebSocketClient({ newWebSocketFn: (address) => new WebSocket(address) })
  socket.addMessageListener((message) => events.push(message))
  const ready = new Promise((resolve) => socket.addFirstConnectListener(resolve))
  socket.initialize(`${url.replace('http', 'ws')}/api/v4/websocket`, rest.getToken())
  await ready
  await until(`${account.username} is greeted`, () => events.some(({ event }) => event === 'hello'))
  const heard = (event, holds = () => true) => until(`${account.username} hears ${event}`, () => {
    const found = events.find((message) => message.event === event && holds(message))
    return found ?? new Miss(events.map((message) => message.event))
  })
  return { rest, me, socket, events, heard }
}

story('official_client', '`@mattermost/client` writes, reads, and follows a call', async (stage) => {
  const { url, accounts } = await stage.serve()
  const anna = await open(url, accounts[ANNA])
  const ben = await open(url, accounts[BEN])
  try {
    await chats(anna, ben)
    await follows(anna, ben)
    await calls(url, accounts[BEN], anna, ben)
  } finally {
    anna.socket.close()
    ben.socket.close()
  }
})

async function chats(anna, ben) {
  const { rest, me } = anna
  assert.equal((await rest.getMe()).id, me.id)
  const [team] = await rest.getMyTeams()
  assert.equal((await rest.getMyTeamMembers())[0].team_id, team.id)
  const channel = (await rest.getMyChannels(team.id)).find(({ name }) => name === CHANNEL)
  assert.ok((await rest.getMyChannelMembers(team.id)).some(({ channel_id: id }) => id === channel.id))
  const people = await rest.getProfilesByIds([me.id, ben.me.id])
  assert.deepEqual(people.map(({ id }) => id).sort(), [me.id, ben.me.id].sort())
  assert.equal((await rest.getProfilesByUsernames([ben.me.username]))[0].id, ben.me.id)
  assert.ok((await rest.getProfilesInChannel(channel.id, 0, 60)).some(({ id }) => id === ben.me.id))
  assert.equal((await rest.getStatusesByIds([me.id]))[0].user_id, me.id)
  const config = await rest.getClientConfig()
  assert.ok(config.Version && config.SiteName)
  assert.ok((await rest.getClientLicenseOld()).IsLicensed)

  const post = await rest.createPost({ channel_id: channel.id, message: 'first' })
  const posted = await ben.heard('posted', ({ data }) => JSON.parse(data.post).id === post.id)
  assert.equal(posted.broadcast.channel_id, channel.id)
  await ben.rest.createPost({ channel_id: channel.id, root_id: post.id, message: 'second' })
  const thread = await rest.getPaginatedPostThread(post.id, { direction: 'down' })
  assert.deepEqual(thread.order.map((id) => thread.posts[id].message).sort(), ['first', 'second'])
  await rest.patchPost({ id: post.id, message: 'changed' })
  await ben.heard('post_edited', ({ data }) => JSON.parse(data.post).message === 'changed')
  await ben.rest.addReaction(ben.me.id, post.id, 'wave')
  await anna.heard('reaction_added')
  assert.equal((await rest.getReactionsForPost(post.id))[0].emoji_name, 'wave')

  const form = new FormData()
  form.append('channel_id', channel.id)
  form.append('files', new Blob(['some text']), 'note.txt')
  const { file_infos: [file] } = await rest.uploadFile(form)
  const carrying = await rest.createPost({ channel_id: channel.id, message: 'a file', file_ids: [file.id] })
  assert.equal((await rest.getFileInfosForPost(carrying.id))[0].name, 'note.txt')
  await rest.deletePost(carrying.id)
  await ben.heard('post_deleted')
  const direct = await rest.createDirectChannel([me.id, ben.me.id])
  assert.equal(direct.type, 'D')
  assert.equal((await rest.getChannelStats(channel.id)).channel_id, channel.id)
  const page = await rest.getPosts(channel.id, 0, 60)
  assert.ok(page.order.includes(post.id))
  await assert.rejects(rest.getUser('nosuchperson'), ({ status_code: status }) => status === 404)
  const replied = await new Promise((resolve) => { anna.socket.getStatuses(resolve) })
  assert.equal(replied.status, 'OK')
}

/** Followed threads: what is unread of one, and how that changes. */
async function follows(anna, ben) {
  const { rest, me } = anna
  const [team] = await rest.getMyTeams()
  const channel = (await rest.getMyChannels(team.id)).find(({ name }) => name === CHANNEL)
  const root = await rest.createPost({ channel_id: channel.id, message: 'who comes?' })
  await ben.rest.createPost({ channel_id: channel.id, root_id: root.id, message: 'me' })
  const updated = await anna.heard('thread_updated', ({ data }) => JSON.parse(data.thread).id === root.id)
  assert.equal(updated.broadcast.team_id, team.id)
  const message = `and you, @${me.username}?`
  const reply = await ben.rest.createPost({ channel_id: channel.id, root_id: root.id, message })
  const list = await rest.getUserThreads(me.id, team.id, { extended: true })
  assert.equal(list.total_unread_mentions, 1)
  const [thread] = list.threads
  assert.deepEqual(
    [thread.id, thread.unread_replies, thread.unread_mentions, thread.reply_count], [root.id, 2, 1, 2])
  assert.deepEqual(thread.participants.map(({ username }) => username), [ben.me.username])
  const [unread] = (await rest.getMyTeamUnreads(true)).filter(({ team_id: id }) => id === team.id)
  assert.equal(unread.thread_mention_count, 1)
  const page = await rest.getPosts(channel.id, 0, 60, true, true)
  assert.ok(page.posts[root.id].is_following && !page.posts[reply.id])

  await rest.updateThreadReadForUser(me.id, team.id, root.id, reply.create_at)
  await anna.heard('thread_read_changed', ({ data }) => data.thread_id === root.id && data.unread_replies === 0)
  await rest.markThreadAsUnreadForUser(me.id, team.id, root.id, reply.id)
  assert.equal((await rest.getUserThread(me.id, team.id, root.id)).unread_replies, 1)
  await rest.updateThreadsReadForUser(me.id, team.id)
  assert.equal((await rest.getUserThread(me.id, team.id, root.id)).unread_replies, 0)
  await rest.updateThreadFollowForUser(me.id, team.id, root.id, false)
  await anna.heard('thread_follow_changed', ({ data }) => data.state === false)
  await assert.rejects(rest.getUserThread(me.id, team.id, root.id), ({ status_code: status }) => status === 404)
}

async function calls(url, account, anna, ben) {
  const [team] = await anna.rest.getMyTeams()
  const channel = (await anna.rest.getMyChannels(team.id)).find(({ name }) => name === CHANNEL)
  anna.socket.sendMessage(`${CALLS}join`, { channelID: channel.id, title: 'by the client' })
  const start = await ben.heard(`${CALLS}call_start`)
  assert.equal(start.data.channelID, channel.id)
  assert.equal(start.data.owner_id, anna.me.id)
  await anna.heard(`${CALLS}join`)
  const joined = await ben.heard(`${CALLS}user_joined`, ({ data }) => data.user_id === anna.me.id)
  const state = await anna.heard(`${CALLS}call_state`)
  assert.deepEqual(JSON.parse(state.data.call).sessions.map(({ user_id: id }) => id), [anna.me.id])
  const announced = await ben.rest.getPost(start.data.post_id)
  assert.equal(announced.type, 'custom_calls')
  assert.equal(announced.props.title, 'by the client')
  await assert.rejects(anna.rest.patchPost({ id: announced.id, message: 'mine' }))

  // A second person asks for the state, joins, and speaks up.
  ben.socket.sendMessage(`${CALLS}join`, { channelID: channel.id })
  await anna.heard(`${CALLS}user_joined`, ({ data }) => data.user_id === ben.me.id)
  ben.socket.sendMessage(`${CALLS}raise_hand`, {})
  const hand = await anna.heard(`${CALLS}user_raise_hand`)
  assert.equal(hand.data.userID, ben.me.id)
  const linked = await anna.rest.executeCommand('/call link', { channel_id: channel.id, team_id: team.id })
  assert.match(linked.text, new RegExp(`channels/${channel.id}\\?join_call=true$`))
  await anna.heard('ephemeral_message')

  anna.socket.sendMessage(`${CALLS}leave`, {})
  const left = await ben.heard(`${CALLS}user_left`, ({ data }) => data.user_id === anna.me.id)
  assert.equal(left.data.session_id, joined.data.session_id)
  await ben.heard(`${CALLS}call_host_changed`, ({ data }) => data.hostID === ben.me.id)
  ben.socket.sendMessage(`${CALLS}leave`, {})
  const ended = await anna.heard('post_edited', ({ data }) => JSON.parse(data.post).props.end_at > 0)
  assert.deepEqual(JSON.parse(ended.data.post).props.participants.sort(), [anna.me.id, ben.me.id].sort())
  const rest = await Rest.signIn(url, account)
  assert.equal(await rest.callIn(channel.id), undefined)
}
