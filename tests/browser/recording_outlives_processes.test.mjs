// A recorded call while the process that leads dies, and then the media node of all: what was said is in the film.

import assert from 'node:assert/strict'

import { Cluster } from './harness/cluster.mjs'
import { hearsTone } from './harness/listen.mjs'
import { energy, probe } from './harness/probe.mjs'
import { publishedRecording, recordingState } from './harness/recordings.mjs'
import { Rest } from './harness/rest.mjs'
import { pause } from './harness/speech.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
/** What is recorded before the process dies, and from the next one's lead on. */
const RECORDED_MS = 4_000
/** Steps in which the film's sound is looked at, in seconds, and what a tone has at least in each. */
const STEP = 0.5
const SOUND_RMS = 0.02
/** Longest silence in the film around the death of the media node, in seconds. */
const GAP = 10

story('recording_outlives', 'a recording goes on while another signalling process takes the lead, and at another media node when its own dies', async (stage) => {
  const cluster = stage.server = await Cluster.start('recording_outlives', { media: ['one', 'two'], fronts: ['left', 'right'], records: 1 })
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  const [epoch, dies] = cluster.leader()
  const [stays] = [...cluster.fronts.keys()].filter((name) => name !== dies)
  const rest = await Rest.signIn(`http://127.0.0.1:${cluster.fronts.get(stays).port}`, cluster.accounts[BEN])
  const channel = await rest.channel(CHANNEL)
  await anna.at('record-start').click()
  await anna.sees('recording-notice', { ms: 60_000 })
  const { start_at: startAt } = await recordingState(rest, channel.id, ({ start_at: at }) => at > 0)
  await pause(RECORDED_MS)

  cluster.signal(dies, 'SIGKILL')
  const diedAt = (Date.now() - startAt) / 1000
  await until('another signalling process leads', () => cluster.leader()[0] > epoch || new Miss(cluster.leader()), { ms: 20_000 })
  await pause(RECORDED_MS)
  assert.equal((await recordingState(rest, channel.id, () => true)).end_at, 0, 'the same recording runs')

  const node = await cluster.sessions('one') > 0 ? 'one' : 'two'
  cluster.signal(node, 'SIGKILL')
  const silentFrom = (Date.now() - startAt) / 1000
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the media node died,', ms: 30_000 })
  // The bot comes a moment after the people.
  await pause(2 * RECORDED_MS)
  assert.equal((await recordingState(rest, channel.id, () => true)).end_at, 0, 'the same recording runs on')
  await ben.leaveCall()
  await anna.leaveCall()
  const lasted = (Date.now() - startAt) / 1000

  const { file } = await publishedRecording(rest, channel.id, stage.scratch)
  const { seconds } = probe(file)
  assert.ok(Math.abs(seconds - lasted) < 2.5, `${seconds} s of ${lasted}`)
  const inside = energy(file, STEP).slice(1 / STEP, (lasted - 2) / STEP)
  const quiet = inside.flatMap((rms, at) => (rms > SOUND_RMS ? [] : [1 + at * STEP]))
  stage.say(`the process died at ${diedAt.toFixed(1)} s, the media node at ${silentFrom.toFixed(1)} s of ${lasted.toFixed(1)}; not heard: ${quiet.join(' ')}`)
  assert.deepEqual(quiet.filter((at) => at < silentFrom - 1), [], 'anna is heard while another process takes the lead')
  assert.ok(quiet.every((at) => at < silentFrom + GAP), 'and again soon after the media node died')
})
