// Bad input at every door of the running product while a call goes on: its sender is told, and the
// people in the call hear no difference.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import dgram from 'node:dgram'

import { encode } from '@msgpack/msgpack'

import { NOBODY, onOffloader, onRtcd, onSignalling, registerOtherTenant } from './harness/attacks.mjs'
import { follow, hearsTone } from './harness/listen.mjs'
import { udpPorts } from './harness/processes.mjs'
import { BINARY, RawSocket, TEXT } from './harness/raw_socket.mjs'
import { Rest } from './harness/rest.mjs'
import { pause } from './harness/speech.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const PREFIX = 'custom_com.mattermost.calls_'
/** Longest silence that a listener may have: a jitter buffer bridges less than this unheard. */
const LONGEST_GAP_MS = 500
/** The bad input comes again and again: a leak or a slow death needs more than one round. */
const ROUNDS = 3
const AFTERMATH_MS = 5_000

story('bad_input', 'bad input at every door is answered clearly and disturbs nobody', async (stage) => {
  const { url, ready, pid } = await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })

  const outsider = await Rest.signIn(url, stage.server.accounts[CARLA])
  const channel = await outsider.channel(CHANNEL)
  const call = await outsider.callIn(channel.id)
  const target = { channelId: channel.id, callId: call.id, sessionId: call.sessions[0].session_id }

  let attacking = true
  const listening = (async () => {
    const parts = []
    while (attacking) parts.push(await follow(ben.page, TONES.first, 1_000))
    return parts
  })()

  const tenant = await registerOtherTenant(ready.rtcd_url)
  const wrong = []
  for (const attack of [...onSignalling(url, outsider, target), ...onRtcd(ready.rtcd_url, tenant, target), ...onOffloader(ready.offloader_url)]) {
    wrong.push(...await judge(attack))
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    wrong.push(...await rudeSockets(url, outsider, target))
    wrong.push(...await rudeTenant(ready.rtcd_url, tenant, target))
    for (const port of udpPorts(pid)) await rudeDatagrams(port)
  }
  await pause(AFTERMATH_MS)
  attacking = false
  const parts = await listening

  assert.deepEqual(wrong, [], 'every sender of bad input gets a clear answer')
  const gap = Math.max(...parts.map(({ longestGapMs }) => longestGapMs))
  stage.say(`tone followed for ${parts.length} s under bad input, longest gap ${gap} ms`)
  assert.ok(gap <= LONGEST_GAP_MS, `ben lost the tone for ${gap} ms`)
  assert.ok(stage.server.alive && stage.server.pid === pid, 'the process lives')
  const after = await outsider.callIn(channel.id)
  assert.equal(after.id, call.id)
  assert.deepEqual(sessionsOf(after), sessionsOf(call), 'nobody was added, muted or removed')
  assert.ok(!stage.server.tail(100_000).includes('panicked'), 'no panic in the log')
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
}, { ms: 150_000 })

function sessionsOf(call) {
  return call.sessions.map(({ session_id: session, unmuted }) => `${session} ${unmuted}`).sort()
}

/** Returns complaints when the answer is not one of the wanted, or gives no reason. */
async function judge({ what, send, wants, says }) {
  let answer
  try {
    answer = await send()
  } catch (error) {
    // A server may close the connection on an oversize body before it is sent completely.
    return what.includes('oversize') && /fetch failed/.test(error.message) ? [] : [`${what}: no answer (${error.cause?.message ?? error.message})`]
  }
  const said = `${answer.status} ${answer.text.slice(0, 120)}`
  if (!wants.includes(answer.status)) return [`${what}: wanted ${wants.join(' or ')}, got ${said}`]
  return reason(answer.text, says) ? [] : [`${what}: refused without a reason under \`${says ?? 'text'}\` (${said})`]
}

function reason(text, key) {
  if (!key) return text.trim()
  try {
    return JSON.parse(text)[key]
  } catch {
    return undefined
  }
}

/** Frames that no client sends, on the clients' WebSocket. */
async function rudeSockets(url, outsider, target) {
  const complaints = []
  const address = `${url}/api/v4/websocket?connection_id=&sequence_number=0`
  const auth = { authorization: `Bearer ${outsider.token}` }

  const unknown = await RawSocket.open(address)
  if (unknown.status === 101) {
    unknown.say({ action: 'authentication_challenge', seq: 1, data: { token: NOBODY } })
    await expect(complaints, 'a challenge with an invented token closes the socket', () => unknown.ended)
  } else if (unknown.status !== 401) complaints.push(`a socket without a session: ${unknown.status}`)

  const socket = await RawSocket.open(address, auth)
  await expect(complaints, 'hello', () => socket.messages.some(({ event }) => event === 'hello'))
  const wrongOrder = ['mute', 'unmute', 'leave', 'screen_on', 'raise_hand', 'react', 'sdp', 'ice', 'caption', 'reconnect']
  wrongOrder.forEach((action, at) => socket.say({ action: PREFIX + action, seq: at + 1, data: { data: '{}' } }))
  socket.say({ action: `${PREFIX}reconnect`, seq: 20, data: { channelID: target.channelId, originalConnID: target.sessionId, prevConnID: target.sessionId } })
  socket.say({ action: `${PREFIX}caption`, seq: 21, data: { session_id: target.sessionId, text: 'forged', new_audio_len_ms: 1 } })
  socket.say({ action: `${PREFIX}no_such_action`, seq: 22 })
  socket.say({ action: 'no_such_core_action', seq: 23 })
  await expect(complaints, 'an unknown core action is answered FAIL', () => socket.messages.some(({ seq_reply: reply, status }) => reply === 23 && status === 'FAIL'))
  socket.say({ action: `${PREFIX}join`, seq: 24, data: { channelID: NOBODY } })
  await expect(complaints, 'a join of an unknown channel is answered with an error', () => socket.messages.some(({ event, data }) => event === `${PREFIX}error` && data.data))
  socket.end()

  const rude = [['random text', 'not json at all'], ['random bytes', randomBytes(400)], ['deep nesting', '['.repeat(4000)],
    ['a missing action', '{"seq":1}'], ['a frame over the limit', 'x'.repeat(70_000)], ['invalid UTF-8 as text', Buffer.from([0xff, 0xfe, 0xfd]), TEXT],
    ['MessagePack that claims 4 GB', Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1]), BINARY]]
  for (const [what, frame, opcode] of rude) {
    const one = await RawSocket.open(address, auth)
    one.send(frame, opcode)
    // Told (an error reply or a close), or ignored with the connection still working.
    one.say({ action: 'ping', seq: 99 })
    await expect(complaints, `${what} is answered, or ends only its own connection`, () => one.ended || one.messages.some(({ seq_reply: reply }) => reply === 99))
    one.end()
  }
  const broken = await RawSocket.open(address, auth)
  broken.raw(randomBytes(2_000))
  broken.end()

  return complaints
}

/** The media server's control socket: a stranger stays out; another tenant cannot touch the session. */
async function rudeTenant(url, tenant, { callId, sessionId }) {
  const complaints = []
  const stranger = await RawSocket.open(`${url}/ws`, { authorization: `Basic ${Buffer.from(`${NOBODY}:${'k'.repeat(32)}`).toString('base64')}` })
  if (stranger.status === 101) complaints.push('rtcd let a stranger in')

  const control = await RawSocket.open(`${url}/ws`, tenant)
  await expect(complaints, 'rtcd says hello to the other tenant', () => control.messages.length > 0)
  const say = (type, data) => control.send(Buffer.concat([encode(type), encode(data)]))
  say('leave', { sessionID: sessionId })
  say('reconnect', { sessionID: sessionId })
  for (const type of [1, 2, 3, 4, 5, 6, 7]) say('rtc', { SessionID: sessionId, GroupID: 'x', CallID: callId, UserID: 'x', Type: type, Data: randomBytes(40) })
  say('join', { callID: callId, userID: 'x', sessionID: sessionId, channelID: 'x' })
  say('no such type', null)
  say('join', { callID: 7, userID: [], sessionID: null })
  control.end()

  for (const [frame, opcode] of [[randomBytes(300)], ['text where bytes are due', TEXT], [Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff])], [Buffer.alloc(1_200_000, 0xc1)]]) {
    const one = await RawSocket.open(`${url}/ws`, tenant)
    one.send(frame, opcode)
    one.end()
  }
  return complaints
}

/** Datagrams at a media port: noise, a STUN request for nobody, truncated DTLS and RTP. */
async function rudeDatagrams(port) {
  const socket = dgram.createSocket('udp4')
  const send = (bytes) => new Promise((resolve) => socket.send(bytes, port, '127.0.0.1', resolve))
  const stun = Buffer.concat([Buffer.from([0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42]), randomBytes(12), Buffer.from([0x00, 0x06, 0x00, 0x04]), Buffer.from('a:bc')])
  for (let round = 0; round < 200; round += 1) {
    await send(randomBytes(1 + (round % 1400)))
    await send(stun)
    await send(Buffer.concat([Buffer.from([22, 254, 253, 0, 0]), randomBytes(20)]))
    await send(Buffer.concat([Buffer.from([0x80, 111]), randomBytes(60)]))
  }
  socket.close()
}

async function expect(complaints, what, look) {
  try {
    await until(what, () => look() || new Miss('not yet'), { ms: 7_000, every: 50 })
  } catch (error) {
    complaints.push(error.message)
  }
}
