// A recorded call while the machine that records it is switched off, and switched on again later.

import assert from 'node:assert/strict'

import { Cluster } from './harness/cluster.mjs'
import { hearsTone } from './harness/listen.mjs'
import { energy, probe } from './harness/probe.mjs'
import { publishedRecordings, recordingState } from './harness/recordings.mjs'
import { Rest } from './harness/rest.mjs'
import { pause } from './harness/speech.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'

const [ANNA, BEN] = [0, 1]
/** What is recorded at each of the two, and what of it may be missing. */
const RECORDED_MS = 5_000
const MISSING_MS = 2_000
/** Looking and pressing take time as well; but a part does not go on until its machine is back. */
const LONGEST_MS = RECORDED_MS + 15_000
const STEP = 0.5
const SOUND_RMS = 0.02
/** Longest time between the death of the one and the beginning of the other. */
const GAP_MS = 25_000

story('several_job_services', 'a recording whose machine is switched off goes on at another, and the call has both parts in the end', async (stage) => {
  const cluster = stage.server = await Cluster.start('several_job_services', { media: ['one'], records: 2 })
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  const rest = await Rest.signIn(cluster.url, cluster.accounts[BEN])
  const channel = await rest.channel(CHANNEL)
  await anna.at('record-start').click()
  const first = await recordingState(rest, channel.id, ({ start_at: at }) => at > 0)
  await ben.at('recording-understood').click()
  await pause(RECORDED_MS)
  const admin = await Rest.signIn(cluster.url, cluster.accounts[ANNA])
  assert.deepEqual(await states(admin), ['up', 'up'])

  const [recorder] = cluster.recording()
  const [other] = [...cluster.jobServices.keys()].filter((name) => name !== recorder)
  cluster.killAll(recorder)
  const diedAt = Date.now()
  const further = await recordingState(rest, channel.id, ({ init_at: at, start_at: begun }) => at > first.init_at && begun > 0, { ms: 60_000 })
  stage.say(`${recorder} died; recorded again ${further.start_at - diedAt} ms later`)
  assert.ok(further.start_at - diedAt < GAP_MS)
  assert.deepEqual(await states(admin), ['silent', 'up'])
  await ben.sees('recording-notice')
  await pause(RECORDED_MS)
  assert.deepEqual(cluster.recording(), [other])
  await anna.leaveCall()
  await ben.leaveCall()

  const [second] = await publishedRecordings(rest, channel.id, stage.scratch, 1)
  await cluster.startJobService(recorder)
  const [, early] = await publishedRecordings(rest, channel.id, stage.scratch, 2)
  for (const { post, file } of [second, early]) {
    const { seconds } = probe(file)
    assert.ok(seconds * 1000 > RECORDED_MS - MISSING_MS && seconds * 1000 < LONGEST_MS, `${post.id}: ${seconds} s`)
    const inside = energy(file, STEP).slice(1 / STEP, (RECORDED_MS - MISSING_MS) / 1000 / STEP)
    assert.ok(inside.every((rms) => rms > SOUND_RMS), `${post.id}: anna is heard: ${inside}`)
  }
  assert.notEqual(early.post.id, second.post.id)
})

/** How the job services do, as administrators see them. */
async function states(admin) {
  const { nodes } = await admin.get('/admin/nodes')
  return nodes.filter(({ kind }) => kind === 'offloader').map(({ state }) => state).sort()
}
