// What people are told of a recording before, while and after it is made: no speech model, paused, near
// its limit, how far it is. And captions: what is settled, in which language, why there are none.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { faultsInBothThemes } from './harness/audit.mjs'
import { descendants } from './harness/processes.mjs'
import { Rest } from './harness/rest.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { telling } from './harness/told.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const SHOTS = path.join(ROOT, 'target', 'shots')

story('no_model', 'without a speech model nobody is promised a transcript: said before, to everybody, and in the thread', async (stage) => {
  const models = path.join(stage.scratch, 'no-models')
  fs.mkdirSync(models)
  await stage.serve({ models })
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN, { locale: 'es' })
  await anna.startCall()
  await ben.joinCall()

  await anna.at('record-start').click()
  await anna.page.locator('[data-testid="question"][data-kind="record"]').waitFor()
  assert.match(await anna.at('question').textContent(), /will be no transcript.*no speech model/)
  await picture(anna, 'record-question')
  await anna.at('question-no').click()
  await until('nothing is recorded', async () => (await anna.at('recording-mark').count()) === 0)
  await anna.at('composer').fill('/call recording start')
  await anna.page.keyboard.press('Enter')
  await anna.at('question-yes').click()
  await ben.sees('recording-notice', { ms: 60_000 })
  await untilText(ben, 'recording-notice', /no tiene modelo de voz/)
  assert.equal(await ben.at('recording-notice').getAttribute('data-transcribed'), 'false')
  assert.doesNotMatch(await ben.at('recording-notice').textContent(), /transcribi/)
  await untilText(anna, 'recording-notice', /no speech model/)
  for (const person of [anna, ben]) assert.doesNotMatch(await person.at('call-stage').textContent(), /appear here|aparecen/, 'no captions are promised')
  await picture(ben, 'record-no-model')
  await untilText(anna, 'recording-mark', /0:0[3-9]/)
  await anna.at('record-stop').click()
  await anna.sees('recording-mark', { shown: false })
  await anna.leaveCall()
  await ben.leaveCall()

  // In the thread, to each in their language; the card waits for the film only.
  for (const [person, words] of [[anna, /There is no transcript\. This server has no speech model/], [ben, /No hay transcripción\. Este servidor no tiene modelo de voz/]]) {
    await until('the thread can be opened', () => person.page.locator('[data-testid="open-thread"], [data-testid="open-recording"]').last().isVisible(), { ms: 60_000 })
    await person.openThread()
    await untilText(person, 'no-transcript', words)
  }
  await anna.sees('recording-player', { ms: 60_000 })
  await until('nothing is awaited', async () => (await anna.at('record-preparing').count()) === 0)
  await picture(ben, 'no-transcript')
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
}, { ms: 280_000 })

story('recording_rests', 'a recording rests and goes on for all to see, warns of its limit, and is followed until it is there', async (stage) => {
  const { url } = await stage.serve()
  const rest = await Rest.signIn(url, stage.server.accounts[BEN])
  const channel = await rest.channel(CHANNEL)
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  const tell = new Map()
  for (const person of [anna, ben]) {
    tell.set(person, await telling(person))
    await person.page.reload()
    await person.enter(CHANNEL)
  }
  await anna.startCall()
  await ben.joinCall()
  const before = descendants(stage.server.pid).map(({ pid }) => pid)
  await anna.at('record-start').click()
  await ben.sees('recording-notice', { ms: 60_000 })
  const workers = descendants(stage.server.pid).filter(({ pid }) => !before.includes(pid))
  const { recording } = await rest.callIn(channel.id)
  const job = (more, type = 'recording') => ({ channelID: channel.id, callID: channel.id, jobState: { ...recording, type, ...more } })
  const toAll = (...event) => [anna, ben].forEach((person) => tell.get(person)(...event))

  // Who does not agree leaves by the notice. Who comes in while it is recorded reads it before being heard.
  await ben.at('recording-leave').click()
  await ben.sees('leave-call', { shown: false })
  await anna.seesParticipant(ben.username, { shown: false })
  await ben.joinCall()
  await ben.sees('recording-notice')
  assert.equal(await ben.at('recording-notice').getAttribute('data-host'), 'false')
  assert.ok(await ben.isMuted(), 'nobody is heard before')
  await anna.page.locator(`[data-testid="participant-${ben.username}"][data-muted="true"]`).waitFor()

  // Whoever becomes host reads what that means; who was it before has read it.
  for (const person of [anna, ben]) await person.at('recording-understood').click()
  const { id: call, sessions, host_id: first } = await rest.callIn(channel.id)
  const second = sessions.find(({ user_id: id }) => id !== first).user_id
  const becomesHost = (id) => toAll('call_host_changed', { channelID: channel.id, hostID: id, call_id: call })
  becomesHost(second)
  await ben.page.locator('[data-testid="recording-notice"][data-host="true"]').waitFor()
  assert.equal(await anna.at('recording-notice').count(), 0)
  assert.equal(await ben.at('recording-leave').count(), 0, 'who records ends the recording instead')
  await ben.at('recording-understood').click()
  becomesHost(first)
  await anna.sees('record-pause')
  assert.equal(await anna.at('recording-notice').count(), 0)

  // Only whoever records may pause; everybody sees that it rests.
  assert.equal(await ben.at('record-pause').count(), 0)
  await anna.at('record-pause').click()
  for (const person of [anna, ben]) await person.page.locator('[data-testid="recording-mark"][data-state="paused"]').waitFor()
  await anna.sees('record-resume')
  await picture(anna, 'record-paused')
  await anna.at('record-resume').click()
  for (const person of [anna, ben]) await person.page.locator('[data-testid="recording-mark"][data-state="running"]').waitFor()

  // The server of the stories ends recordings after an hour.
  const { MaxRecordingDuration: most } = await rest.calls('/config')
  toAll('call_job_state', job({ start_at: Date.now() - (most - 9.5) * 60_000 }))
  await untilText(anna, 'recording-limit', /10 minutes/)
  assert.equal(await ben.at('recording-limit').count(), 0)
  toAll('call_job_state', job({}))
  await anna.sees('recording-limit', { shown: false })

  // Captions: the end of a sentence may change, a language is named, and why there are none is said.
  const [session] = (await rest.callIn(channel.id)).sessions.filter(({ user_id: id }) => id !== rest.me.id)
  const caption = (text, more) => tell.get(ben)('caption', { channelID: channel.id, channel_id: channel.id, user_id: session.user_id, session_id: session.session_id, text, ...more })
  caption('Guten Morgen allers', { utterance_id: '1.1', final: false, settled_len: 12, language: 'de', notice: false })
  await ben.sees('caption-unsettled')
  assert.equal(await ben.at('caption-unsettled').textContent(), ' allers')
  assert.equal(await ben.at('caption').locator('[lang="de"]').count(), 1)
  await picture(ben, 'caption-unsettled')
  caption('Guten Morgen allerseits', { utterance_id: '1.1', final: true, settled_len: 23, language: 'de', notice: false })
  await ben.at('caption-unsettled').waitFor({ state: 'detached' })
  caption('[not understood: the captions know English only]', { utterance_id: '1.2', final: true, settled_len: 0, language: '', notice: true })
  await untilText(ben, 'caption', /not understood: .*English only/)
  await ben.at('captions-history').click()
  await untilText(ben, 'caption-history', /German.*Guten Morgen allerseits/)
  await ben.at('close-captions').click()

  // How far the film is: in the call, and in its post after the call. Its worker is held, so that it is
  // not there before it could be looked at.
  workers.forEach(({ pid }) => process.kill(pid, 'SIGSTOP'))
  await anna.at('record-stop').click()
  await anna.sees('recording-mark', { shown: false })
  await anna.leaveCall()
  await ben.leaveCall()
  await ben.sees('record-preparing', { ms: 20_000 })
  tell.get(ben)('call_job_state', job({ end_at: Date.now(), progress: 40 }))
  await until('the share that is made is shown', async () => {
    const share = await ben.at('record-progress').getAttribute('data-progress')
    return share === '40' || new Miss(share)
  })
  assert.match(await ben.at('record-preparing').textContent(), /being prepared.*40\s?%/)
  await picture(ben, 'record-progress')
  assert.deepEqual(await faultsInBothThemes(ben, 'a recording that is being prepared'), [])
  workers.forEach(({ pid }) => process.kill(pid, 'SIGCONT'))
  await ben.sees('open-recording', { ms: 90_000 })
  await ben.sees('record-progress', { shown: false })

  // Nobody said anything: that is told, and nothing is awaited any more.
  await ben.at('open-recording').click()
  await untilText(ben, 'no-transcript', /There is no transcript\. Nobody said anything/, 60_000)
  await ben.sees('record-preparing', { shown: false })
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
}, { ms: 280_000 })

function untilText(person, testId, wanted, ms) {
  return until(`${person.username} reads ${wanted}`, async () => {
    const texts = await person.page.locator(`[data-testid="${testId}"]`).allTextContents()
    return texts.some((text) => wanted.test(text)) || new Miss(texts)
  }, { ms })
}

async function picture(person, name) {
  fs.mkdirSync(SHOTS, { recursive: true })
  await person.page.screenshot({ path: path.join(SHOTS, `${name}.png`) })
}
