// A recorded call of two people who speak known text: captions while they speak, and in the call's
// thread a recording that has their voices and a transcript that says who said what.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { firstSound, seesColours } from './harness/listen.mjs'
import { energy, frameAt, loudSpan, probe } from './harness/probe.mjs'
import { publishedRecording, publishedTranscript, recordingState, transcriptBlocks, vttCues } from './harness/recordings.mjs'
import { Rest } from './harness/rest.mjs'
import { MODELS, ROOT } from './harness/server.mjs'
import { conversation, pause, spanish } from './harness/speech.mjs'
import { CaptionWatch } from './harness/captions.mjs'
import { SocketWatch } from './harness/socket_watch.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'
import { wordErrorRate, words } from './harness/wer.mjs'

const [ANNA, BEN] = [0, 1]
const COLOURS = ['red', 'lime', 'blue', 'yellow']
/** How long the screen is shared, and how long the call goes on after. */
const SCREEN_MS = 4_000
/** A listener's RMS of speech between and within words. */
const SPEECH_RMS = 0.005
/** Long enough for a few lines of a transcript. */
const SPOKEN_MS = 14_000

story('recorded_call', 'a recorded call has captions, and its thread the recording and who said what', async (stage) => {
  const { url, pid } = await stage.serve()
  const sockets = new SocketWatch(pid)
  const speech = conversation(stage.scratch)
  const anna = await stage.person(ANNA, { microphone: `${speech[0].file}%noloop` })
  const ben = await stage.person(BEN, { microphone: `${speech[1].file}%noloop` })
  await anna.startCall()
  await ben.joinCall()
  const rest = await Rest.signIn(url, stage.server.accounts[BEN])
  const channel = await rest.channel(CHANNEL)

  await anna.at('record-start').click()
  await anna.sees('recording-notice', { ms: 60_000 })
  await ben.sees('recording-notice')
  for (const person of [anna, ben]) await person.at('recording-understood').click()
  const { start_at: startAt } = await recordingState(rest, channel.id, ({ start_at: at }) => at > 0)

  const spoken = []
  for (const [index, speaker] of [anna, ben].entries()) {
    const listener = speaker === anna ? ben : anna
    const captions = new CaptionWatch(listener, await nameOf(speaker))
    const { sentences, seconds } = speech[index]
    const [said] = await Promise.all([firstSound(listener.page, SPEECH_RMS), speaker.unmute()])
    await pause(said + seconds * 1_000 - Date.now())
    const silentFrom = Date.now()
    await captions.settles(sentences.at(-1).text, said + sentences.at(-1).start)
    await speaker.mute()
    await captions.stop()
    judgeCaptions(stage, captions, { sentences, said, silentFrom })
    if (speaker === anna) assert.deepEqual([...captions.names], [await nameOf(anna)], 'captions name the speaker and nobody else')
    spoken.push({ ...speech[index], speaker, from: (said - startAt) / 1000, to: (silentFrom - startAt) / 1000 })
  }

  // Captions can be larger, and what was said can be read again.
  const size = () => ben.at('captions').evaluate((part) => parseFloat(getComputedStyle(part).fontSize))
  const before = await size()
  await ben.at('captions-larger').click()
  assert.ok(await size() > before * 1.2, 'the captions are larger')
  await ben.at('captions-smaller').click()
  await ben.at('captions-history').click()
  await until("anna's words are in the history", async () => {
    const lines = await ben.page.locator('[data-testid="caption-line"]').allTextContents()
    return lines.some((line) => line.includes('Anna') && line.length > 40) ? true : new Miss(lines)
  })
  await ben.at('close-captions').click()

  await anna.shareScreen(COLOURS)
  await seesColours(ben.page, '[data-testid="screen-video"]', COLOURS, { who: 'ben' })
  await pause(SCREEN_MS)
  const screen = { at: (Date.now() - SCREEN_MS / 2 - startAt) / 1000 }
  await anna.stopSharing()
  await pause(SCREEN_MS)

  await ben.leaveCall()
  // The call ends somewhere between the press on the last *Leave* and the page's word that it is over.
  const since = () => (Date.now() - startAt) / 1000
  const earliest = since()
  await anna.leaveCall()
  const span = { earliest, latest: since() }
  await judgeRecording(stage, await publishedRecording(rest, channel.id, stage.scratch), { span, spoken, screen })
  await judgeTranscript(stage, await publishedTranscript(rest, channel.id), spoken)
  await judgeThread(anna, ben)

  // One machine is enough: no database, object store or message bus was asked for.
  const far = sockets.stop()
  stage.say(`${sockets.looks} looks at the sockets of parley and its workers`)
  assert.deepEqual(far, [], 'nothing outside of this machine, and no foreign server on it, was asked')
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
}, { ms: 240_000 })

story('recording_is_read', 'a recording is announced as being prepared, its transcript leads through the film and says what a model of English only did not understand', async (stage) => {
  const { url } = await stage.serve({ models: englishOnly(stage.scratch) })
  const anna = await stage.person(ANNA, { microphone: `${conversation(stage.scratch)[0].file}%noloop` })
  const ben = await stage.person(BEN, { microphone: `${spanish(stage.scratch)}%noloop`, locale: 'es' })
  await ben.startCall()
  await anna.joinCall()
  const rest = await Rest.signIn(url, stage.server.accounts[BEN])
  const channel = await rest.channel(CHANNEL)

  // Who reads Spanish is asked first whether they want to record what will not be understood.
  await ben.at('record-start').click()
  await ben.page.locator('[data-testid="question"][data-kind="record"]').waitFor()
  assert.match(await ben.at('question').textContent(), /Solo se transcribe lo que se dice en estos idiomas: inglés\./)
  await ben.at('question-no').click()
  await ben.at(`person-menu-${anna.username}`).click()
  await ben.at('host-make').click()

  // And who reads English is told before anything is recorded.
  await anna.at('record-start').click()
  await anna.sees('recording-languages')
  assert.match(await anna.at('recording-languages').textContent(), /transcribed: English\.$/)
  await ben.sees('recording-notice', { ms: 60_000 })
  assert.equal(await ben.at('recording-notice').getAttribute('data-transcribed'), 'true')
  assert.match(await ben.at('recording-speech').textContent(), /idiomas: inglés\./)
  await anna.unmute()
  await ben.unmute()
  await ben.page.locator('[data-testid="caption"][data-notice="true"]', { hasText: 'solo conoce el inglés' }).waitFor({ timeout: 30_000 })

  // Elsewhere it is in sight that one is recorded, and the host can stop it.
  await anna.at('add-channel').click()
  await anna.at('new-channel-name').fill('Elsewhere')
  await anna.at('create-channel').click()
  await anna.sees('call-bar')
  await anna.sees('recording-mark')
  await pause(SPOKEN_MS)
  await anna.at('record-stop').click()
  await anna.sees('recording-mark', { shown: false })
  await ben.leaveCall()
  await anna.leaveCall()

  await ben.sees('record-preparing', { ms: 10_000 })
  stage.say(`told meanwhile: ${await ben.at('record-preparing').textContent()}`)
  await publishedTranscript(rest, channel.id, { ms: 150_000 })
  await publishedRecording(rest, channel.id, stage.scratch)
  await ben.sees('record-preparing', { shown: false, ms: 30_000 })
  assert.match(await ben.at('call-times').textContent(), /\d+\s(s|min)/)
  assert.equal(await ben.at('call-faces').getAttribute('data-count'), '2')
  await ben.openThread()
  await judgeLines(ben)

  // In the place of the Spanish stands why there is nothing; no English was made of it.
  const ofBen = ben.page.locator('[data-testid="transcript-text"] p', { hasText: await nameOf(ben) })
  const read = (await ofBen.allTextContents()).join(' | ')
  stage.say(`of the Spanish: ${read}`)
  assert.match(read, /No se entendió lo dicho: el modelo de voz de este servidor solo conoce el inglés/)
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
}, { ms: 280_000 })

/** A folder with a speech model that knows English only, and the one that finds speech. */
function englishOnly(scratch) {
  const folder = path.join(scratch, 'english-only')
  const wanted = fs.readdirSync(MODELS).filter((name) => /tiny\.en|silero/.test(name))
  assert.equal(wanted.length, 2, `${MODELS} has ${wanted.join(', ')}`)
  fs.mkdirSync(folder)
  for (const name of wanted) fs.symlinkSync(path.join(MODELS, name), path.join(folder, name))
  return folder
}

/** Captions came while the person spoke, and most sentences could be read to their end. */
function judgeCaptions(stage, captions, { sentences, said, silentFrom }) {
  const { seen, speaker } = captions
  assert.ok(seen.length > 0, `no caption of ${speaker} was shown`)
  assert.ok(seen[0].at < silentFrom, `captions of ${speaker} came only after the speech`)
  const endOf = ({ text }) => words(text).slice(-2).join()
  // "Please try again" ends three prompts: only an end that is heard once tells a delay.
  const telling = sentences.filter((one) => sentences.filter((other) => endOf(other) === endOf(one)).length === 1)
  const delays = telling.map(({ text, start, end }) => captions.shownAt(text, said + start) - said - end).filter((delay) => !Number.isNaN(delay))
  const ordered = [...delays].sort((a, b) => a - b)
  stage.say(`captions of ${speaker}: first after ${seen[0].at - said} ms of sound, ${seen.length} changes, ${delays.length} of ${telling.length} sentences to their end, delay after the last word ${ordered.join(' ')} ms (median ${ordered[Math.floor(ordered.length / 2)]} ms)`)
  stage.say(`last caption of ${speaker}: ${seen.at(-1).text}`)
  assert.ok(delays.length >= telling.length / 2, `only ${delays.length} of ${telling.length} sentences of ${speaker} could be read to their end: ${seen.map(({ text }) => text).join(' | ')}`)
}

async function judgeRecording(stage, { file }, { span, spoken, screen }) {
  const { seconds, streams } = probe(file)
  stage.say(`recording: ${seconds.toFixed(2)} s of a span of ${span.earliest.toFixed(2)} to ${span.latest.toFixed(2)} s, ${streams.map(({ kind, codec }) => `${kind} ${codec}`).join(', ')}`)
  assert.deepEqual(streams.map(({ kind }) => kind).sort(), ['audio', 'video'])
  assert.ok(seconds >= span.earliest - 1 && seconds <= span.latest + 1, `the file has ${seconds} s, the recorded span ${span.earliest} to ${span.latest} s`)
  for (const stream of streams) assert.ok(Math.abs(stream.seconds - seconds) <= 1, `${stream.kind} has ${stream.seconds} s of ${seconds} s`)

  const step = 0.25
  const loud = energy(file, step).map((rms) => rms > SPEECH_RMS)
  for (const { speaker, from, to } of spoken) {
    const part = loud.slice(Math.floor(from / step), Math.ceil(to / step))
    const share = part.filter(Boolean).length / part.length
    stage.say(`sound in ${(share * 100).toFixed(0)} % of ${speaker.username}'s ${(to - from).toFixed(1)} s`)
    assert.ok(share > 0.5, `only ${(share * 100).toFixed(0)} % of ${speaker.username}'s speech is in the recording`)
  }
  const sound = loudSpan(file, SPEECH_RMS, step)
  assert.ok(Math.abs(sound.first - spoken[0].from) <= 1.5, `speech begins at ${sound.first} s, was heard at ${spoken[0].from} s`)

  // While a screen was shared it is the picture; before and after there is a card, not a black frame.
  const quarters = [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
  const shown = frameAt(file, screen.at)
  assert.deepEqual(quarters.map(([x, y]) => colourOf(shown.pixel(x, y))), COLOURS, `the picture at ${screen.at.toFixed(1)} s`)
  // A picture stands for a second at most.
  for (const at of [spoken[0].to, seconds - 2]) {
    const card = frameAt(file, at)
    const shades = new Set()
    for (let x = 0.02; x < 1; x += 0.02) for (let y = 0.02; y < 1; y += 0.02) shades.add(card.pixel(x, y).map((part) => part >> 5).join())
    stage.say(`picture at ${at.toFixed(1)} s: ${card.width}x${card.height}, ${shades.size} shades`)
    assert.ok(shades.size > 1, `the card at ${at.toFixed(1)} s has one colour only`)
    assert.notDeepEqual(quarters.map(([x, y]) => colourOf(card.pixel(x, y))), COLOURS, `nobody shares at ${at.toFixed(1)} s`)
  }
}

/** The name of a strong colour after a trip through a video codec, or its three parts. */
function colourOf(pixel) {
  const [red, green, blue] = pixel.map((part) => (part > 160 ? 1 : part < 96 ? 0 : 2))
  return { '1,0,0': 'red', '0,1,0': 'lime', '0,0,1': 'blue', '1,1,0': 'yellow' }[[red, green, blue].join()] ?? pixel.join()
}

async function judgeTranscript(stage, { text, vtt }, spoken) {
  const blocks = transcriptBlocks(text)
  const cues = vttCues(vtt)
  let [errors, words] = [0, 0]
  for (const { speaker, text: said, limit, from } of spoken) {
    const name = await nameOf(speaker)
    const own = blocks.filter((block) => block.speaker.toLowerCase().includes(name.toLowerCase()))
    const heard = own.map((block) => block.text).join(' ')
    const score = wordErrorRate(said, heard)
    stage.say(`${name}: word error rate ${(score.rate * 100).toFixed(1)} % (${score.errors} of ${score.words} words, limit ${limit * 100} %): ${heard}`)
    assert.ok(own.length > 0, `nothing is attributed to ${name}; speakers: ${[...new Set(blocks.map((block) => block.speaker))].join(', ')}`)
    assert.ok(score.rate < limit, `word error rate of ${name} is ${(score.rate * 100).toFixed(1)} %, limit ${limit * 100} %; heard: ${heard}`)
    const first = cues.find((cue) => cue.speaker?.toLowerCase().includes(name.toLowerCase()))
    assert.ok(first && Math.abs(first.from - from) < 2.5, `${name}'s first cue is at ${first?.from} s, the speech began at ${from.toFixed(1)} s`)
    errors += score.errors
    words += score.words
  }
  stage.say(`transcript: word error rate ${((100 * errors) / words).toFixed(1)} % of ${words} words, ${blocks.length} blocks, ${cues.length} cues`)
  const names = await Promise.all(spoken.map(({ speaker }) => nameOf(speaker)))
  const strangers = blocks.filter((block) => !names.some((name) => block.speaker.toLowerCase().includes(name.toLowerCase())))
  assert.deepEqual(strangers, [], 'every block is one of the two')
}

/** The people find both in the thread: a player that plays, and the words. */
async function judgeThread(anna, ben) {
  await ben.openThread()
  await ben.sees('recording-player', { ms: 30_000 })
  const player = await until('the recording can be played', () => ben.at('recording-player').evaluate((part) => {
    const video = part instanceof HTMLVideoElement ? part : part.querySelector('video')
    if (video && video.readyState === 0) video.load()
    return video && video.readyState >= 1 && video.videoWidth > 0 && { seconds: video.duration, width: video.videoWidth }
  }))
  assert.ok(player.seconds > 1 && player.width > 0, JSON.stringify(player))
  await ben.sees('transcript-text', { ms: 30_000 })
  const shown = await ben.at('transcript-text').textContent()
  for (const person of [anna, ben]) {
    const name = await nameOf(person)
    assert.ok(shown.toLowerCase().includes(name.toLowerCase()), `the transcript in the thread does not name ${name}`)
  }
}

/** A line leads to its words in the film, in the thread and beside the film; what is searched is found. */
async function judgeLines(person) {
  const playing = () => person.page.locator('[data-testid="recording-player"]').last().evaluate((video) => ({ at: video.currentTime, runs: !video.paused }))
  const jumpsTo = async (line, within) => {
    const seconds = seconds60(await line.textContent())
    await line.click()
    await until(`the film plays from ${seconds} s`, async () => {
      const { at, runs } = await playing()
      return (runs && at >= seconds && at < seconds + 8) || new Miss({ at, runs, seconds })
    })
    await person.page.locator(`[data-testid="${within}"] [data-heard="true"]`).waitFor()
  }
  await jumpsTo(person.page.locator('[data-testid="transcript-text"] [data-testid="transcript-jump"]').last(), 'transcript-text')

  await person.at('open-beside').click()
  await person.sees('recording-beside')
  const [film, text] = await Promise.all([
    person.page.locator('[data-testid="recording-beside"] video').boundingBox(), person.at('beside-text').boundingBox(),
  ])
  assert.ok(text.x >= film.x + film.width && film.width > 400, `side by side: ${JSON.stringify({ film, text })}`)
  const lines = person.page.locator('[data-testid="beside-text"] p')
  const word = (await lines.last().textContent()).trim().split(/\s+/).at(-1).replace(/[^\p{L}]/gu, '')
  await person.at('beside-text-search').fill(word)
  await person.page.locator('[data-testid="beside-text"] mark').first().waitFor()
  assert.match(await person.at('beside-text-found').textContent(), /^[1-9]\d* /)
  await jumpsTo(person.page.locator('[data-testid="beside-text"] [data-testid="transcript-jump"]').first(), 'beside-text')
  const shots = path.join(ROOT, 'target', 'shots')
  fs.mkdirSync(shots, { recursive: true })
  await person.page.screenshot({ path: path.join(shots, 'recording-beside.png') })
  const tracks = await person.page.locator('[data-testid="recording-beside"] video').evaluate((video) => [...video.textTracks].map(({ mode, cues }) => ({ mode, cues: cues?.length ?? 0 })))
  assert.ok(tracks.length === 1 && tracks[0].cues > 0, `the player has the captions: ${JSON.stringify(tracks)}`)
  await person.at('close-beside').click()
  await person.page.screenshot({ path: path.join(shots, 'recording-thread.png') })
}

/** Seconds of `m:ss`, with the marks that keep it whole taken off. */
function seconds60(text) {
  return text.replace(/[^\d:]/g, '').split(':').map(Number).reduce((sum, part) => sum * 60 + part, 0)
}

/** The name that others see: from the profile, as the messaging API tells it. */
async function nameOf(person) {
  return person.page.evaluate(async () => {
    const me = await (await fetch('/api/v4/users/me')).json()
    return me.nickname || `${me.first_name} ${me.last_name}`.trim() || me.username
  })
}
