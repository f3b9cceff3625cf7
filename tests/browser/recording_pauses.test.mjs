// A recording that its host pauses: everybody sees that it rests, and what is said meanwhile is
// nowhere, neither in the film nor in its length.

import assert from 'node:assert/strict'

import { hearsTone } from './harness/listen.mjs'
import { probe, tone } from './harness/probe.mjs'
import { publishedRecording, recordingState } from './harness/recordings.mjs'
import { Rest } from './harness/rest.mjs'
import { pause } from './harness/speech.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'

const [ANNA, BEN] = [0, 1]
/** How long it records, rests, and records again. */
const SPAN_MS = 8_000
/** What may be missing at each end of a span, or too much: the bot is told, and says that it was. */
const SLACK_S = 2.5

story('recording_pauses', 'what is said in a pause of a recording is nowhere in it', async (stage) => {
  const { url } = await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })
  await anna.startCall()
  await ben.joinCall()
  const host = await Rest.signIn(url, stage.server.accounts[ANNA])
  const other = await Rest.signIn(url, stage.server.accounts[BEN])
  const channel = await host.channel(CHANNEL)
  const ask = async (rest, action) => {
    const answer = await rest.send('POST', `/plugins/com.mattermost.calls/calls/${channel.id}/recording/${action}`)
    return { status: answer.status, said: await answer.json() }
  }
  await anna.unmute()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  assert.equal((await ask(host, 'start')).status, 200)
  const { start_at: startAt } = await recordingState(other, channel.id, ({ start_at: at }) => at > 0, { ms: 60_000 })
  await pause(startAt + SPAN_MS - Date.now())

  assert.equal((await ask(other, 'pause')).status, 403)
  assert.equal((await ask(host, 'resume')).status, 400)
  assert.equal((await ask(host, 'pause')).status, 200)
  const { paused_at: pausedAt } = await recordingState(other, channel.id, ({ paused_at: at }) => at > 0)
  // Only now: what is said before the bot has paused is recorded.
  await ben.unmute()
  await hearsTone(anna.page, TONES.second, { who: 'anna' })
  await pause(SPAN_MS)
  await ben.mute()
  await pause(500)
  assert.equal((await ask(host, 'resume')).status, 200)
  await recordingState(other, channel.id, ({ paused_at: at }) => !at)
  const resumedAt = Date.now()
  await pause(SPAN_MS)
  assert.equal((await ask(host, 'stop')).status, 200)
  const stoppedAt = Date.now()
  await ben.leaveCall()
  await anna.leaveCall()

  const film = await publishedRecording(other, channel.id, stage.scratch)
  const { seconds } = probe(film.file)
  const rested = (resumedAt - pausedAt) / 1000
  const expected = (stoppedAt - startAt) / 1000 - rested
  stage.say(`${seconds} s of film; ${expected} s were recorded and ${rested} s were not`)
  assert.ok(Math.abs(seconds - expected) < SLACK_S, `${seconds} s of film, not ${expected}`)
  const loud = (hz) => tone(film.file, hz).filter((share) => share > 0.02).length
  assert.ok(loud(TONES.first) > seconds * 0.7, `anna is heard in ${loud(TONES.first)} of ${seconds} s`)
  assert.equal(loud(TONES.second), 0, 'nobody hears what ben said in the pause')
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
}, { ms: 240_000 })
