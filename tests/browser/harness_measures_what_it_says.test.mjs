// The harness itself, without the product: ears, eyes, word error rate and probe are right about
// things that are known.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import test from 'node:test'

import { follow, equip, hear, hearsNoTone, hearsTone, seesColours, watch, watched, wear } from './harness/listen.mjs'
import { launchChromium } from './harness/person.mjs'
import { frameAt, loudSpan, probe } from './harness/probe.mjs'
import { connections, descendants, isLoopback } from './harness/processes.mjs'
import { RawSocket } from './harness/raw_socket.mjs'
import { transcriptBlocks, vttCues } from './harness/recordings.mjs'
import { TONES, writeTone } from './harness/tones.mjs'
import { NotInTime, until } from './harness/until.mjs'
import { wordErrorRate, words } from './harness/wer.mjs'

/** A page that calls itself: the microphone and the screen go over two peer connections in one tab. */
const LOOPBACK = `<!doctype html><title>loopback</title><video data-testid="screen-video" autoplay muted></video><script>
  const near = new RTCPeerConnection(), far = new RTCPeerConnection()
  near.onicecandidate = (event) => far.addIceCandidate(event.candidate)
  far.onicecandidate = (event) => near.addIceCandidate(event.candidate)
  far.ontrack = ({ track }) => {
    if (track.kind === 'video') document.querySelector('video').srcObject = new MediaStream([track])
  }
  near.onnegotiationneeded = async () => {
    await near.setLocalDescription(); await far.setRemoteDescription(near.localDescription)
    await far.setLocalDescription(); await near.setRemoteDescription(far.localDescription)
  }
  window.speak = async () => {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
    window.sender = near.addTrack(stream.getAudioTracks()[0], stream)
    window.voice = stream.getAudioTracks()[0]
  }
  window.show = async () => {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: true })
    near.addTrack(stream.getVideoTracks()[0], stream)
  }
</script>`

async function withLoopbackPage(hz, check) {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'harness-'))
  const site = http.createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(LOOPBACK))
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve))
  const browser = await launchChromium(writeTone(scratch, hz))
  try {
    const context = await browser.newContext({ permissions: ['microphone', 'camera'], viewport: { width: 1280, height: 720 } })
    await equip(context)
    const page = await context.newPage()
    await page.goto(`http://127.0.0.1:${site.address().port}/`)
    await check(page)
  } finally {
    await browser.close()
    site.close()
    fs.rmSync(scratch, { recursive: true, force: true })
  }
}

test('ears find the tone that a microphone plays, its silence, and its return', async (context) => {
  await withLoopbackPage(TONES.second, async (page) => {
    assert.deepEqual(await hear(page), [])
    await page.evaluate(() => window.speak())
    const heard = await hearsTone(page, TONES.second)
    context.diagnostic(`heard ${heard.hz.toFixed(1)} Hz at RMS ${heard.rms.toFixed(3)}`)
    await assert.rejects(hearsTone(page, TONES.first, { ms: 1_000 }), NotInTime)

    await page.evaluate(() => window.sender.replaceTrack(null))
    await hearsNoTone(page, TONES.second)
    const cut = await follow(page, TONES.second, 500)
    assert.equal(cut.found, 0)

    await page.evaluate(() => window.sender.replaceTrack(window.voice))
    await hearsTone(page, TONES.second)
    const steady = await follow(page, TONES.second, 2_000)
    assert.ok(steady.looks > 20 && steady.longestGapMs < 200, JSON.stringify(steady))
  })
})

test('ears note when a tone was away, and since when it is', async (context) => {
  await withLoopbackPage(TONES.first, async (page) => {
    const note = async () => (await watched(page))[TONES.first]
    await watch(page, [TONES.first])
    const spokeAt = Date.now()
    await page.evaluate(() => window.speak())
    await until('it is heard', async () => (await note()).lastHeard > 0)
    const { gaps: early } = await note()
    assert.deepEqual(early.filter(([from]) => from < spokeAt), [], 'what was not heard yet is no gap')

    const cutAt = Date.now()
    await page.evaluate(() => window.sender.replaceTrack(null))
    await until('it is away', async () => (await note()).isAway)
    await new Promise((resolve) => { setTimeout(resolve, 700) })
    const backAt = Date.now()
    await page.evaluate(() => window.sender.replaceTrack(window.voice))
    const gaps = await until('it is back', async () => {
      const { isAway, gaps: all } = await note()
      return isAway ? undefined : all.filter(([from, to]) => to - from > 500)
    })
    context.diagnostic(`cut for ${backAt - cutAt} ms, noted ${gaps.map(([from, to]) => to - from)} ms`)
    const [[from, to]] = gaps
    assert.equal(gaps.length, 1)
    assert.ok(from >= cutAt - 200 && from < backAt && to >= backAt && to < Date.now() + 1, `${from - cutAt} to ${to - backAt}`)
  })
})

test('eyes find the four colours of a shared tab, and see them change', async () => {
  await withLoopbackPage(TONES.first, async (page) => {
    await wear(page, ['red', 'lime', 'blue', 'yellow'])
    await page.evaluate(() => window.show())
    const first = await seesColours(page, 'video', ['red', 'lime', 'blue', 'yellow'])
    await wear(page, ['blue', 'red', 'yellow', 'lime'])
    const second = await seesColours(page, 'video', ['blue', 'red', 'yellow', 'lime'])
    assert.ok(second.frames > first.frames)
  })
})

test('the word error rate counts wrong words and forgives spellings of numbers', () => {
  assert.deepEqual(words("It's $42,000, 10% on the 3rd; alright?"),
    ["it's", 'forty', 'two', 'thousand', 'dollars', 'ten', 'percent', 'on', 'the', 'third', 'all', 'right'])
  assert.deepEqual(words('21st 1,250 2.5'), ['twenty', 'first', 'one', 'thousand', 'two', 'hundred', 'fifty', 'two', 'point', 'five'])
  assert.equal(wordErrorRate('one two three four', '1 2 3 4.').rate, 0)
  assert.deepEqual(wordErrorRate('the quick brown fox', 'the quack brown'), { errors: 2, words: 4, rate: 0.5 })
  assert.equal(wordErrorRate('good morning', 'well good morning everyone').errors, 2)
  assert.equal(wordErrorRate('good morning', '').rate, 1)
})

test('the rude socket speaks WebSocket when it wants to', async () => {
  const got = []
  const site = http.createServer((_, answer) => answer.writeHead(404).end('no such page'))
  site.on('upgrade', (request, socket) => {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
    socket.on('end', () => socket.end())
    socket.on('data', (data) => {
      got.push(data)
      // One text frame split over two writes, then a close with code 1002.
      socket.write(Buffer.from([0x81, 7, 0x7b, 0x22]))
      socket.write(Buffer.concat([Buffer.from('a":1}'), Buffer.from([0x88, 4, 0x03, 0xea]), Buffer.from('no')]))
    })
  })
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${site.address().port}`
  const socket = await RawSocket.open(`${address}/ws`)
  socket.send('hello')
  await until('the close arrives', () => socket.closed && socket.messages.length === 1)
  assert.deepEqual([socket.messages, socket.closed], [[{ a: 1 }], { code: 1002, reason: 'no' }])
  const frame = Buffer.concat(got)
  const text = Buffer.from(frame.subarray(6, 11).map((byte, at) => byte ^ frame[2 + (at % 4)])).toString()
  assert.deepEqual([frame[0], frame[1], text], [0x81, 0x85, 'hello'])
  site.close()
})

test('transcripts are read as the formats say', () => {
  assert.deepEqual(transcriptBlocks('00:00:01 -> 00:00:04\nAnna Berg\nGood morning.\n\n01:02:03 -> 01:02:10\nBen Cole\nHello there,\nAnna.\n'), [
    { from: 1, to: 4, speaker: 'Anna Berg', text: 'Good morning.' },
    { from: 3723, to: 3730, speaker: 'Ben Cole', text: 'Hello there, Anna.' },
  ])
  assert.deepEqual(vttCues('WEBVTT\n\n00:00:01.250 --> 00:00:04.000\n<v Anna Berg>(Anna Berg) Good morning.\n\n00:01:00.000 --> 00:01:01.000\nno name\n'), [
    { from: 1.25, to: 4, speaker: 'Anna Berg', text: 'Good morning.' },
    { from: 60, to: 61, speaker: undefined, text: 'no name' },
  ])
  assert.throws(() => transcriptBlocks('Anna: hello'), /without times/)
})

test('the probe finds streams, length, sound and colour of a made recording', () => {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'probe-'))
  const file = path.join(scratch, 'made.mp4')
  execFileSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'color=red:s=320x180:r=10:d=4',
    '-f', 'lavfi', '-i', 'sine=frequency=440:duration=1,adelay=2000,apad=whole_dur=4', '-shortest', file])
  const { seconds, streams } = probe(file)
  assert.ok(Math.abs(seconds - 4) < 0.2, `${seconds} s`)
  assert.deepEqual(streams.map(({ kind }) => kind).sort(), ['audio', 'video'])
  const sound = loudSpan(file)
  assert.ok(Math.abs(sound.first - 2) <= 0.25 && Math.abs(sound.last - 3) <= 0.5, JSON.stringify(sound))
  const [red, green, blue] = frameAt(file, 1).pixel(0.5, 0.5)
  assert.ok(red > 200 && green < 60 && blue < 60, `${red} ${green} ${blue}`)
  fs.rmSync(scratch, { recursive: true, force: true })
})

test('sockets of a process are found, and loopback is told from the world', async () => {
  assert.ok(['127.0.0.1', '::1', '::ffff:127.0.0.1'].every(isLoopback))
  assert.ok(!['10.0.0.1', '::', '2001:db8:0:0:0:0:0:1', '0.0.0.0'].some(isLoopback))
  const site = http.createServer((_, answer) => answer.end('x'))
  await new Promise((resolve) => site.listen(0, '127.0.0.1', resolve))
  const { port } = site.address()
  const call = http.get({ port, host: '127.0.0.1', agent: new http.Agent({ keepAlive: true }) })
  await new Promise((resolve) => call.once('response', resolve))
  assert.ok(connections(process.pid).some((one) => one.port === port && isLoopback(one.far)))
  call.destroy()
  site.close()
})

test('descendants of a process are found with their command', async () => {
  const shell = spawn('sh', ['-c', 'sleep 31.4 & wait'])
  try {
    await until('the sleeper is a descendant', () => descendants(process.pid).some(({ command }) => command === 'sleep 31.4'))
  } finally {
    for (const { pid, command } of descendants(shell.pid)) if (command === 'sleep 31.4') process.kill(pid)
    shell.kill()
  }
})
