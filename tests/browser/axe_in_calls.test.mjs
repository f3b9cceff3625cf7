// axe-core finds no serious fault (WCAG 2.2 AA) in any state of a call: one row per state, each in light
// and dark, and each kept as a picture to be looked at (`target/shots/states`).

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { faultsInBothThemes } from './harness/audit.mjs'
import { Rest } from './harness/rest.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { otherConfig, telling } from './harness/told.mjs'
import { TONES, writeSyllables } from './harness/tones.mjs'
import { until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const SHOTS = path.join(ROOT, 'target', 'shots', 'states')
const DESKTOP = { width: 1280, height: 800 }

/**
 * In the order in which they are reached: who looks, and what happens before. `state` names the picture.
 * Anna hosts and administers, Ben takes part, Carla comes and goes.
 */
const STATES = [
  ['calling', 'anna', async ({ anna, ben }) => {
    await anna.writeTo(ben.username)
    await anna.startCall()
    await anna.sees('calling')
  }],
  ['ringing', 'ben', ({ ben }) => ben.sees('ring-accept')],
  ['missed', 'ben', async ({ anna, ben }) => {
    await ben.at('ring-decline').click()
    await anna.leaveCall()
    await ben.enter(anna.username)
    await ben.page.locator('[data-testid="call-post"][data-outcome="missed"]').waitFor()
  }],
  ['running-elsewhere', 'ben', async ({ anna, ben }) => {
    for (const person of [anna, ben]) await person.enter(CHANNEL)
    await anna.startCall()
    await ben.sees('join-call')
  }],
  ['lobby', 'ben', async ({ ben, channel }) => {
    await ben.page.goto(`${new URL(ben.page.url()).origin}/main/channels/${channel.id}?join_call=true`)
    await ben.sees('lobby')
    await ben.sees('level')
    await ben.sees('level')
  }],
  ['call', 'ben', async ({ anna, ben, carla }) => {
    await ben.at('lobby-join').click()
    await ben.seesParticipant(anna.username)
    await carla.joinCall()
    await anna.seesParticipant(carla.username)
  }],
  ['speaking-and-hand', 'anna', async ({ anna, ben }) => {
    await ben.unmute()
    await ben.raiseHand()
    await anna.page.locator(`[data-testid="participant-${ben.username}"][data-hand="true"][data-speaking="true"]`).waitFor()
  }],
  ['wide', 'anna', ({ anna }) => anna.at('toggle-wide').click()],
  ['person-menu', 'anna', async ({ anna, ben }) => {
    await anna.at('toggle-wide').click()
    await anna.at(`person-menu-${ben.username}`).click()
    await anna.sees('host-remove')
  }],
  ['remove-question', 'anna', async ({ anna }) => {
    await anna.at('host-remove').click()
    await anna.sees('host-remove-confirm')
  }],
  ['people-panel', 'anna', async ({ anna }) => {
    await anna.at('host-remove-cancel').click()
    await anna.at('people-toggle').click()
    await anna.sees('people-list')
  }],
  ['reactions', 'anna', async ({ anna }) => {
    await anna.at('close-people').click()
    await anna.at('react').click()
    await anna.sees('reactions')
  }],
  ['reaction', 'ben', async ({ anna, ben }) => {
    await anna.at('react-tada').click()
    await ben.page.locator('[data-testid="reaction"]').first().waitFor()
  }],
  ['more-menu', 'anna', async ({ anna }) => {
    await anna.at('call-more').click()
    await anna.sees('open-devices')
  }],
  ['devices', 'anna', async ({ anna }) => {
    await anna.at('open-devices').click()
    await anna.sees('level')
  }],
  ['shortcuts', 'anna', async ({ anna }) => {
    await anna.at('close-dialog').click()
    await anna.at('call-more').click()
    await anna.at('open-shortcuts').click()
    await anna.sees('keys-reset')
  }],
  ['end-question', 'anna', async ({ anna }) => {
    await anna.at('close-dialog').click()
    await anna.at('end-call').click()
    await anna.sees('end-confirm')
  }],
  ['muted-by-host', 'ben', async ({ anna, ben }) => {
    await anna.at('end-cancel').click()
    await anna.at(`person-menu-${ben.username}`).click()
    await anna.at('host-mute').click()
    await ben.sees('call-note')
  }],
  ['talking-while-muted', 'ben', ({ ben }) => ben.sees('muted-hint')],
  ['record-question', 'anna', async ({ anna, config }) => {
    config({ SpeechLanguages: ['fr'] })
    await anna.at('record-start').click()
    await anna.sees('question')
  }],
  ['recording-host', 'anna', async ({ anna, config }) => {
    config({})
    await anna.at('question-yes').click()
    await anna.sees('recording-notice', { ms: 60_000 })
    await anna.sees('record-pause')
  }],
  ['recording-consent', 'ben', ({ ben }) => ben.sees('recording-notice')],
  ['recording-paused', 'anna', async ({ anna, tell, job }) => {
    tell('call_job_state', await job({ paused_at: Date.now() }))
    await anna.page.locator('[data-testid="recording-mark"][data-state="paused"]').waitFor()
  }],
  ['recording-near-limit', 'anna', async ({ anna, tell, job }) => {
    await anna.at('recording-understood').click()
    tell('call_job_state', await job({ start_at: Date.now() - 55 * 60_000 }))
    await anna.sees('recording-limit')
  }],
  ['captions', 'anna', async ({ anna, tell, caption }) => {
    tell('caption', caption('Good morning, everybo', { utterance_id: '1.1', final: false, settled_len: 13, language: 'en', notice: false }))
    await anna.sees('caption-unsettled')
  }],
  ['captions-panel', 'anna', async ({ anna, tell, caption }) => {
    tell('caption', caption('[not understood: the captions know English only]', { utterance_id: '1.2', final: true, settled_len: 0, language: '', notice: true }))
    await anna.at('captions-history').click()
    await anna.sees('caption-line')
  }],
  ['own-screen', 'ben', async ({ anna, ben }) => {
    await anna.at('close-captions').click()
    await ben.at('recording-understood').click()
    await ben.shareScreen([])
    await ben.sees('own-screen')
  }],
  ['shared-screen', 'anna', ({ anna }) => anna.sees('screen-video')],
  ['shared-screen-people', 'anna', async ({ anna }) => {
    await anna.at('people-toggle').click()
    await anna.sees('people-list')
  }],
  ['share-options', 'anna', async ({ anna, ben }) => {
    await anna.at('close-people').click()
    await ben.stopSharing()
    await anna.sees('screen-video', { shown: false })
    await anna.at('share-options').click()
    await anna.sees('share-box')
  }],
  ['call-thread', 'anna', async ({ anna }) => {
    await anna.page.keyboard.press('Escape')
    await anna.at('call-thread').click()
    await anna.sees('thread-panel')
  }],
  ['bar-elsewhere', 'anna', async ({ anna }) => {
    await anna.at('close-thread').click()
    await anna.enter('off-topic')
    await anna.sees('call-bar')
  }],
  ['second-call-question', 'anna', async ({ anna }) => {
    await anna.at('start-call').click()
    await anna.sees('question')
  }],
  ['sign-out-question', 'anna', async ({ anna }) => {
    await anna.at('question-no').click()
    await anna.at('sign-out').click()
    await anna.sees('question')
  }],
  ['sounds-and-notices', 'anna', async ({ anna }) => {
    await anna.at('question-no').click()
    await anna.at('sound-settings').click()
    await anna.sees('alert-moves')
  }],
  ['recording-outcome', 'anna', async ({ anna }) => {
    await anna.page.keyboard.press('Escape')
    await anna.at('record-stop').click()
    await anna.sees('recording-outcome')
  }],
  ['phone-call', 'carla', async ({ carla }) => {
    await carla.page.setViewportSize({ width: 390, height: 844 })
    await carla.sees('call-stage')
  }],
  ['phone-people', 'carla', async ({ carla }) => {
    await carla.at('people-toggle').click()
    await carla.sees('people-list')
  }],
  ['phone-list', 'carla', async ({ carla }) => {
    await carla.at('close-people').click()
    await carla.at('all-channels').click()
    await carla.sees('call-bar')
  }],
  ['zoom-400', 'carla', async ({ carla }) => {
    await carla.enter(CHANNEL)
    await carla.page.setViewportSize({ width: 320, height: 256 })
    await carla.sees('call-bar')
  }],
  ['arabic', 'carla', async ({ carla }) => {
    await carla.page.setViewportSize(DESKTOP)
    await carla.at('profile').click()
    await carla.at('tab-look').click()
    await carla.at('language').selectOption('ar')
    await carla.page.keyboard.press('Escape')
    await carla.page.locator('html[dir="rtl"]').waitFor()
  }],
  ['removed', 'carla', async ({ anna, carla }) => {
    await anna.at('return-to-call').click()
    await anna.at(`person-menu-${carla.username}`).click()
    await anna.at('host-remove').click()
    await anna.at('host-remove-confirm').click()
    await carla.sees('call-ending')
  }],
  ['second-tab', 'carla', async ({ carla, ben, tab }) => {
    await carla.at('call-ending').locator('button').last().click()
    await tab(ben)
    await ben.sees('elsewhere')
  }, 'ben'],
  ['ended-for-all', 'ben', async ({ anna, ben }) => {
    await anna.at('end-call').click()
    await anna.at('end-confirm').click()
    await ben.page.locator('[data-testid="call-post"][data-state="ended"]').last().waitFor()
  }],
  ['recording-and-card', 'ben', async ({ ben }) => {
    await ben.sees('open-recording', { ms: 60_000 })
    await ben.at('open-recording').click()
    await ben.sees('recording-player', { ms: 30_000 })
  }],
]

story('axe_in_calls', 'no state around a call has a serious fault for people who use assistive technology', async (stage) => {
  const { url } = await stage.serve()
  const rest = await Rest.signIn(url, stage.server.accounts[BEN])
  const channel = await rest.channel(CHANNEL)
  const anna = await stage.stranger(ANNA, { hz: TONES.first, viewport: DESKTOP })
  const tell = await telling(anna)
  const config = await otherConfig(anna, {})
  await anna.page.reload()
  await anna.signIn()
  await anna.enter(CHANNEL)
  const ben = await stage.person(BEN, { microphone: writeSyllables(stage.scratch, TONES.second), viewport: DESKTOP })
  const carla = await stage.person(CARLA, { viewport: DESKTOP })
  const world = {
    anna, ben, carla, channel, tell, config,
    job: async (more) => ({ channelID: channel.id, callID: channel.id, jobState: { ...(await rest.callIn(channel.id)).recording, type: 'recording', ...more } }),
    caption: (text, more) => ({ channelID: channel.id, channel_id: channel.id, user_id: rest.me.id, session_id: 'nobody-in-particular-00000', text, ...more }),
    // The same person once more, at another tab; the first one goes on beside it.
    tab: async (person) => {
      person.page = await person.context.newPage()
      await person.page.goto(url)
      await person.enter(CHANNEL)
    },
  }
  fs.mkdirSync(SHOTS, { recursive: true })
  const found = []
  for (const [state, looks, arrive, other] of STATES) {
    await arrive(world)
    const person = world[other ?? looks]
    found.push(...await faultsInBothThemes(person, state, (theme) => person.page.screenshot({ path: path.join(SHOTS, `${state}-${theme}.png`) })))
  }
  await until('everybody is out of the call', async () => (await anna.at('leave-call').count()) === 0)
  assert.deepEqual(found, [])
  assert.deepEqual([anna, ben, carla].flatMap(({ troubles }) => troubles), [])
}, { ms: 420_000 })
