// What a browser does when its call goes to another media node: it follows an offer that names another ICE
// agent and another certificate, or not, and how long nothing is heard meanwhile; beside it a connection that
// is made anew. Three peer connections of one page stand for the client and the two nodes.
//
// Out: a line for each browser and way, in milliseconds from the second offer until each hears the other.

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { launchFirefox } from '../../tests/browser/harness/firefox.mjs'
import { launchChromium } from '../../tests/browser/harness/person.mjs'
import { writeSilence } from '../../tests/browser/harness/tones.mjs'

const WAYS = ['follows; the first is gone', 'follows; the first stays', 'joins anew']
/** Longer than any browser took that followed at all. */
const WITHIN_MS = 15_000

/** Runs in the page. */
async function moves(way, withinMs) {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  const voice = (hz) => {
    const sound = new AudioContext()
    const tone = sound.createOscillator()
    tone.frequency.value = hz
    const out = sound.createMediaStreamDestination()
    tone.connect(out)
    tone.start()
    return out.stream.getAudioTracks()[0]
  }
  const gathered = (peer) => new Promise((resolve) => {
    const look = () => peer.iceGatheringState === 'complete' && resolve()
    peer.addEventListener('icegatheringstatechange', look)
    look()
  })
  // As a media node offers: one line of sound both ways, and the channel.
  const node = (hz) => {
    const peer = new RTCPeerConnection()
    peer.createDataChannel('calls-dc')
    peer.addTransceiver(voice(hz), { direction: 'sendrecv' })
    return peer
  }
  const microphone = voice(300)
  const connect = async (client, server) => {
    await server.setLocalDescription(await server.createOffer())
    await gathered(server)
    await client.setRemoteDescription(server.localDescription)
    for (const line of client.getTransceivers()) {
      line.direction = 'sendrecv'
      await line.sender.replaceTrack(microphone)
    }
    await client.setLocalDescription(await client.createAnswer())
    await gathered(client)
    await server.setRemoteDescription(client.localDescription)
  }
  const heard = async (peer) => {
    const stats = [...(await peer.getStats()).values()]
    return stats.filter(({ type }) => type === 'inbound-rtp').reduce((sum, { packetsReceived }) => sum + packetsReceived, 0)
  }
  const client = new RTCPeerConnection()
  const [one, two] = [node(500), node(700)]
  await connect(client, one)
  while ((await heard(client)) < 50) await pause(20)
  const channels = []
  const began = performance.now()
  if (way === 'follows; the first is gone') one.close()
  const after = way === 'joins anew' ? new RTCPeerConnection() : client
  after.addEventListener('datachannel', ({ channel }) => channels.push(channel))
  const before = await heard(after)
  try {
    await connect(after, two)
  } catch (error) {
    return { refused: error.message }
  }
  const times = { node: null, client: null }
  const since = () => performance.now() - began
  while (since() < withinMs && (times.node === null || times.client === null)) {
    await pause(10)
    if (times.node === null && (await heard(two)) > 2) times.node = Math.round(since())
    // The first one is still heard for a moment where it stays.
    const isTwo = two.connectionState === 'connected'
    if (times.client === null && isTwo && (await heard(after)) > before + 2) times.client = Math.round(since())
  }
  return { ...times, channels: channels.map(({ readyState }) => readyState) }
}

const home = fs.mkdtempSync(path.join(os.tmpdir(), 'follow-'))
const browsers = [
  ['Chromium', () => launchChromium(writeSilence(home))],
  ['Firefox', () => launchFirefox({ hz: 300, home })],
]
try {
  for (const [name, launch] of browsers) {
    const browser = await launch()
    for (const way of WAYS) {
      const page = await browser.newPage()
      await page.goto('about:blank')
      const { refused, node, client, channels } = await page.evaluate(`(${moves})(${JSON.stringify(way)}, ${WITHIN_MS})`)
      const told = (ms) => (ms === null ? `not within ${WITHIN_MS / 1000} s` : `after ${ms} ms`)
      console.log(`${name} ${way}: ${refused ? `refused: ${refused}` : `the node hears it ${told(node)}, it hears the node ${told(client)}; new channels: ${channels.join(', ') || 'none'}`}`)
      await page.close()
    }
    await browser.close()
  }
} finally {
  fs.rmSync(home, { recursive: true, force: true })
}
