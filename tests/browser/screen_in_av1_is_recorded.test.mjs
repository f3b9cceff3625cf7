// A screen that its sharer sends in AV1 alone: the bot takes it from the media host, and it is in the film
// and, as it was sent, in the archive.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { frameAt, probe } from './harness/probe.mjs'
import { publishedRecording, recordingState } from './harness/recordings.mjs'
import { Rest } from './harness/rest.mjs'
import { pause } from './harness/speech.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const COLOURS = ['red', 'lime', 'blue', 'yellow']
const SHARED_MS = 10_000

story('screen_in_av1_is_recorded', 'a screen that is shared in AV1 alone is in the film and in the archive', async (stage) => {
  const archive = path.join(stage.scratch, 'archive')
  const { url } = await stage.serve({ env: { STORE_ARCHIVEDIR: archive } })
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  await anna.page.addInitScript(() => {
    const add = RTCPeerConnection.prototype.addTransceiver
    RTCPeerConnection.prototype.addTransceiver = function addInAv1(track, ...more) {
      const transceiver = add.call(this, track, ...more)
      if (track.kind === 'video') {
        const { codecs } = RTCRtpSender.getCapabilities('video')
        transceiver.setCodecPreferences(codecs.filter(({ mimeType }) => mimeType === 'video/AV1'))
        window.screenSender = transceiver.sender
      }
      return transceiver
    }
  })
  await anna.page.reload()
  await anna.enter(CHANNEL)
  await anna.startCall()
  await ben.joinCall()
  const rest = await Rest.signIn(url, stage.server.accounts[ANNA])
  const channel = await rest.channel(CHANNEL)
  const ask = (action) => rest.send('POST', `/plugins/com.mattermost.calls/calls/${channel.id}/recording/${action}`)
  assert.equal((await ask('start')).status, 200)
  const { start_at: startAt } = await recordingState(rest, channel.id, ({ start_at: at }) => at > 0, { ms: 60_000 })

  await anna.shareScreen(COLOURS)
  const sharedAt = Date.now()
  const sent = await until('the screen is sent', async () => {
    const codecs = await anna.page.evaluate(async () => {
      const stats = [...(await window.screenSender?.getStats() ?? new Map()).values()]
      const sent = stats.filter(({ type, framesEncoded }) => type === 'outbound-rtp' && framesEncoded > 0)
      return sent.map(({ codecId }) => stats.find(({ id }) => id === codecId)?.mimeType)
    })
    return codecs.length > 0 ? codecs : new Miss('nothing is encoded')
  })
  assert.deepEqual([...new Set(sent)], ['video/AV1'])
  await pause(SHARED_MS)
  await anna.stopSharing()
  await pause(2_000)
  assert.equal((await ask('stop')).status, 200)
  await ben.leaveCall()
  await anna.leaveCall()

  const film = await publishedRecording(rest, channel.id, stage.scratch, { ms: 150_000 })
  const at = (sharedAt - startAt + SHARED_MS * 0.75) / 1000
  const frame = frameAt(film.file, at)
  // The screen is as wide as the film or as high as the room above the strip: these lie well within it.
  const quarters = [[0.35, 0.25], [0.65, 0.25], [0.35, 0.7], [0.65, 0.7]]
  assert.deepEqual(quarters.map(([x, y]) => colourOf(frame.pixel(x, y))), COLOURS, `the film at ${at} s`)
  const kept = fs.readdirSync(archive, { recursive: true }).filter((name) => name.endsWith('.mkv'))
  assert.equal(kept.length, 1, `${kept}`)
  const { streams } = probe(path.join(archive, kept[0]))
  stage.say(`archive: ${streams.map(({ kind, codec, width, height }) => (width ? `${kind} ${codec} ${width}x${height}` : `${kind} ${codec}`)).join(', ')}`)
  assert.deepEqual(streams.filter(({ kind }) => kind === 'video').map(({ codec }) => codec), ['av1'])
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
}, { ms: 280_000 })

/** The name of a strong colour after two trips through a video codec, or its three parts. */
function colourOf(pixel) {
  const [red, green, blue] = pixel.map((part) => (part > 160 ? 1 : part < 96 ? 0 : 2))
  return { '1,0,0': 'red', '0,1,0': 'lime', '0,0,1': 'blue', '1,1,0': 'yellow' }[[red, green, blue].join()] ?? pixel.join()
}
