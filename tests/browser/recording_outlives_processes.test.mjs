// A recorded call while the process that leads dies: what was said is in the film.

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

story('recording_outlives', 'a recording goes on while another signalling process takes the lead', async (stage) => {
  const cluster = stage.server = await Cluster.start('recording_outlives', { media: ['one'], fronts: ['left', 'right'], records: true })
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
  const { end_at: endAt } = await recordingState(rest, channel.id, () => true)
  assert.equal(endAt, 0, 'the same recording runs')
  await ben.leaveCall()
  await anna.leaveCall()
  const lasted = (Date.now() - startAt) / 1000

  const { file } = await publishedRecording(rest, channel.id, stage.scratch)
  const { seconds } = probe(file)
  assert.ok(Math.abs(seconds - lasted) < 2.5, `${seconds} s of ${lasted}`)
  const inside = energy(file, STEP).slice(1 / STEP, (lasted - 2) / STEP)
  const quiet = inside.flatMap((rms, at) => (rms > SOUND_RMS ? [] : [1 + at * STEP]))
  assert.deepEqual(quiet, [], 'half seconds of the film in which anna is not heard')
  assert.ok(diedAt + 2 < lasted - 2, 'the death is among what was looked at')
  stage.say(`the process died at ${diedAt.toFixed(1)} s of ${lasted.toFixed(1)}`)
})
