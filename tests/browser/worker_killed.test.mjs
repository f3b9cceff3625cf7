// kill -9 of the offloader's worker in mid-recording: what was recorded until 4 s before is there.

import assert from 'node:assert/strict'

import { hearsTone } from './harness/listen.mjs'
import { energy, probe } from './harness/probe.mjs'
import { descendants } from './harness/processes.mjs'
import { publishedRecording, recordingState } from './harness/recordings.mjs'
import { Rest } from './harness/rest.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const RECORD_FOR_MS = 15_000
/** The most that a fault may cost. */
const LOSS_LIMIT_S = 4
const STEP_S = 0.25

story('worker_killed', "kill -9 of the recorder's process loses at most the last 4 s", async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  await anna.startCall()
  await anna.unmute()
  await ben.joinCall()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })

  const rest = await Rest.signIn(stage.server.url, stage.server.accounts[BEN])
  const channel = await rest.channel(CHANNEL)
  const before = descendants(stage.server.pid).map(({ pid }) => pid)
  await anna.at('record-start').click()
  await ben.sees('recording-notice', { ms: 60_000 })
  const { start_at: startAt } = await recordingState(rest, channel.id, ({ start_at: at }) => at > 0)

  const workers = descendants(stage.server.pid).filter(({ pid }) => !before.includes(pid))
  stage.say(`workers: ${workers.map(({ pid, command }) => `${pid} ${command.slice(0, 100)}`).join('; ')}`)
  assert.ok(workers.length > 0, 'the recording runs in a process of its own')
  await until('15 s are recorded', () => Date.now() - startAt > RECORD_FOR_MS, { ms: RECORD_FOR_MS + 5_000 })
  const killedAt = Date.now()
  for (const { pid } of workers) process.kill(pid, 'SIGKILL')

  // The call does not notice: the service lives, and the people still hear each other.
  assert.equal((await fetch(`${stage.server.ready.offloader_url}/version`)).status, 200)
  await hearsTone(ben.page, TONES.first, { who: 'ben, after the kill,' })
  await anna.leaveCall()
  await ben.leaveCall()

  const { file } = await publishedRecording(rest, channel.id, stage.scratch)
  const { seconds, streams } = probe(file)
  const loud = energy(file, STEP_S).map((rms) => rms > 0.02)
  const last = (loud.lastIndexOf(true) + 1) * STEP_S
  const recorded = (killedAt - startAt) / 1000
  const holes = loud.slice(4, Math.floor((recorded - LOSS_LIMIT_S) / STEP_S)).filter((is) => !is).length
  stage.say(`killed after ${recorded.toFixed(1)} s; the file has ${seconds.toFixed(1)} s, sound until ${last.toFixed(1)} s, ${holes} silent quarter seconds before`)
  assert.deepEqual(streams.map(({ kind }) => kind).sort(), ['audio', 'video'])
  assert.ok(last >= recorded - LOSS_LIMIT_S, `sound ends at ${last} s of ${recorded} s`)
  assert.ok(holes <= 2, `${holes} quarter seconds before the kill are silent`)
  assert.ok(stage.server.alive)
})
