// A call over media nodes of a cluster: it is larger than one node, and it outlives any of them.

import assert from 'node:assert/strict'

import { faults } from './harness/audit.mjs'
import { Cluster } from './harness/cluster.mjs'
import { follow, hearsTone } from './harness/listen.mjs'
import { energy, probe } from './harness/probe.mjs'
import { publishedRecording, recordingState } from './harness/recordings.mjs'
import { Rest } from './harness/rest.mjs'
import { pause } from './harness/speech.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
/** What is recorded before the node drains, and after it. */
const RECORDED_MS = 4_000
/** In seconds: what a film's length may be off, and how long nothing is in it while the bot goes. */
const LENGTH_OFF = 1.5
const LONGEST_GAP = 8
const SOUND_RMS = 0.02
/** From the death of a node's process until its people hear each other again, on a busy machine. */
const LONGEST_AWAY_MS = 8_000
/** Longer than everybody takes to go to another node, and longest time of silence meanwhile on a busy machine. */
const MOVE_MS = 8_000
const LONGEST_MOVE_MS = 600

/** The call that a person's channel has now. */
function callOf(person) {
  return person.page.evaluate(async () => {
    const answer = await fetch('/plugins/com.mattermost.calls/channels', { headers: { 'X-Requested-With': 'XMLHttpRequest' } })
    const channels = await answer.json()
    return channels.find(({ call }) => call)?.call.id
  })
}

story('media_node_dies', 'a media node dies, and its people hear each other again in the same call', async (stage) => {
  const cluster = stage.server = await Cluster.start('media_node_dies', { media: ['one', 'two'] })
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await ben.unmute()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  await hearsTone(anna.page, TONES.second, { who: 'anna' })
  const call = await callOf(anna)
  const [dies, stays] = await cluster.sessions('one') > 0 ? ['one', 'two'] : ['two', 'one']
  assert.equal(await cluster.sessions(dies), 2, 'a small call is on one node')

  const killedAt = Date.now()
  cluster.signal(dies, 'SIGKILL')
  await until('both are at the other node', async () => {
    const count = await cluster.sessions(stays)
    return count === 2 ? true : new Miss(`${count} of 2`)
  }, { ms: 30_000 })
  await Promise.all([
    hearsTone(ben.page, TONES.first, { who: 'ben, after the node died,', ms: 30_000 }),
    hearsTone(anna.page, TONES.second, { who: 'anna, after the node died,', ms: 30_000 }),
  ])
  const away = Date.now() - killedAt
  stage.say(`from the kill to both heard again: ${away} ms`)
  assert.ok(away < LONGEST_AWAY_MS, `${away} ms`)
  assert.equal(await callOf(anna), call, 'the call is the same one')
  await anna.seesParticipant(ben.username)
  await ben.seesParticipant(anna.username)

  // The administrator's page tells what became of the nodes.
  await anna.at('administration').click()
  await anna.at('tab-nodes').click()
  await anna.page.locator('[data-testid="nodes"][data-sight="clear"]').waitFor()
  await anna.page.locator(`[data-testid="node-${dies}"][data-state="silent"]`).waitFor()
  await anna.page.locator('[data-testid="node-front"][data-state="up"]', { hasText: /Signalling/ }).waitFor()
  const row = anna.page.locator(`[data-testid="node-${stays}"][data-state="up"]`)
  await until('the call is counted where it is', async () => {
    const cells = await row.locator('td').allTextContents()
    return cells.slice(3, 5).join() === '1,2' || new Miss(cells.join(' | ')) // calls, sessions
  })
  assert.ok((await anna.at('nodes-silent').textContent()).includes(dies))
  assert.deepEqual(await faults(anna, 'nodes of a cluster'), [])
})

story('media_node_drains', 'a media node drains: people and the recording go to another by themselves, and the node ends', async (stage) => {
  const cluster = stage.server = await Cluster.start('media_node_drains', { media: ['one', 'two'], records: 1 })
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second, firefox: true })
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await ben.unmute()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  await hearsTone(anna.page, TONES.second, { who: 'anna' })
  const call = await callOf(anna)
  const rest = await Rest.signIn(cluster.url, cluster.accounts[BEN])
  const channel = await rest.channel(CHANNEL)
  await anna.at('record-start').click()
  const { start_at: startAt } = await recordingState(rest, channel.id, ({ start_at: at }) => at > 0)
  await pause(RECORDED_MS)
  const [drains, stays] = await cluster.sessions('one') > 0 ? ['one', 'two'] : ['two', 'one']

  const began = Date.now()
  const heard = [follow(ben.page, TONES.first, MOVE_MS), follow(anna.page, TONES.second, MOVE_MS)]
  cluster.signal(drains, 'SIGTERM')
  await cluster.ended(drains, { ms: 30_000 })
  stage.say(`from the word to the end of the node: ${Date.now() - began} ms`)
  await until('both, who records and who transcribes are at the other node', async () => {
    const count = await cluster.sessions(stays)
    return count === 4 ? true : new Miss(`${count} of 4`)
  })
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the node ended,' })
  await hearsTone(anna.page, TONES.second, { who: 'anna, after the node ended,' })
  assert.equal(await callOf(anna), call, 'the call is the same one')
  const gaps = (await Promise.all(heard)).map(({ longestGapMs }) => longestGapMs)
  stage.say(`meanwhile each did not hear the other for ${gaps.join(' and ')} ms`)
  assert.ok(Math.max(...gaps) < LONGEST_MOVE_MS, `${gaps} ms of silence`)
  for (const person of [anna, ben]) {
    assert.equal(await person.page.locator('[data-testid="elsewhere"]').count(), 0, `${person.username} is there once`)
  }

  await pause(RECORDED_MS)
  await ben.leaveCall()
  await anna.leaveCall()
  const lasted = (Date.now() - startAt) / 1000
  const { file } = await publishedRecording(rest, channel.id, stage.scratch)
  const { seconds } = probe(file)
  stage.say(`a film of ${seconds} s, of ${lasted} s`)
  assert.ok(Math.abs(seconds - lasted) < LENGTH_OFF, `${seconds} s of ${lasted}`)
  const sounds = energy(file, 1).slice(1, Math.floor(lasted - LENGTH_OFF))
  const quiet = sounds.filter((rms) => rms < SOUND_RMS).length
  stage.say(`of ${sounds.length} s in the film ${quiet} are silent`)
  assert.ok(sounds[0] > SOUND_RMS && sounds.at(-1) > SOUND_RMS && quiet <= LONGEST_GAP, `${sounds}`)
})
