// The call's bar: whatever else is on the screen, and however much it is enlarged, the microphone, leaving,
// and what is recorded or shared are in sight.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES, writeSyllables } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const SHOTS = path.join(ROOT, 'target', 'shots')
const DESKTOP = { width: 1280, height: 800 }
/** CSS px of a 1280x800 window at 200 % and of a 1280x1024 one at 400 %; phones with and without a keyboard. */
const VIEWS = {
  'zoom-200': { width: 640, height: 400 },
  'zoom-400': { width: 320, height: 256 },
  tablet: { width: 820, height: 1180 },
  phone: { width: 390, height: 844 },
  'phone-keyboard': { width: 390, height: 440 },
  'phone-side': { width: 844, height: 390 },
}

story('call_bar', 'microphone, leaving and stopping the shared screen are in sight everywhere and at every size', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first, viewport: DESKTOP })
  const ben = await stage.person(BEN, { microphone: writeSyllables(stage.scratch, TONES.second) })
  // What was pressed goes away: who starts or joins a call goes on from a control of it.
  await anna.startCall()
  await focusInCall(anna)
  await ben.joinCall()
  await focusInCall(ben)
  await anna.at('share-options').click()
  await anna.at('share-motion').check()
  await anna.page.keyboard.press('Escape')
  await anna.shareScreen([])
  assert.equal(await anna.page.evaluate(() => window.callsClient.screen.getVideoTracks()[0].contentHint), 'motion')
  await anna.at('screen-hint').selectOption('detail')
  assert.equal(await anna.page.evaluate(() => window.callsClient.screen.getVideoTracks()[0].contentHint), 'detail')
  await ben.sees('screen-video')

  // In another channel: what one shares can be stopped, and who speaks is said.
  await newChannel(anna, 'Elsewhere')
  await anna.sees('call-bar')
  for (const control of ['mute', 'stop-share', 'leave-call', 'return-to-call']) await inReach(anna, control)
  await ben.unmute()
  await until('anna sees who speaks', async () => {
    const text = await anna.at('bar-speaking').textContent()
    return /Ben.* speaks/.test(text) || new Miss(text)
  })
  await picture(anna, 'bar-elsewhere')
  await anna.at('stop-share').click()
  await ben.sees('screen-video', { shown: false })
  await anna.sees('stop-share', { shown: false })

  // That somebody else shares, and who, is said too.
  await ben.shareScreen([])
  await anna.sees('bar-sharing')
  assert.match(await anna.at('bar-sharing').textContent(), /^Ben .* is sharing the screen$/)
  await picture(anna, 'bar-shared-elsewhere')
  await ben.stopSharing()
  await anna.sees('bar-sharing', { shown: false })

  // A second call is asked about before it ends the first; signing out as well.
  await anna.at('start-call').click()
  await anna.sees('question')
  assert.match(await anna.at('question').textContent(), /town-square|Town Square/i)
  await anna.at('question-no').click()
  await anna.sees('call-bar')
  await anna.at('sign-out').click()
  await anna.sees('question')
  await anna.at('question-no').click()
  await ben.seesParticipant(anna.username)

  // At every size: in the channel, beside its thread, and in the list.
  await anna.at('return-to-call').click()
  await anna.sees('call-stage')
  for (const [name, view] of Object.entries(VIEWS)) {
    await anna.page.setViewportSize(view)
    await bothInReach(anna, `${name}, channel`)
    await inReach(anna, 'composer', name)
    await picture(anna, `bar-${name}-channel`)
    await openCallThread(anna)
    await bothInReach(anna, `${name}, thread`)
    await inReach(anna, 'thread-composer', name)
    await picture(anna, `bar-${name}-thread`)
    await anna.at('close-thread').click()
    await fits(anna, name)
  }

  // In the list of a phone: the entry of the channel says that a call runs, the bar below is whole and acts.
  await anna.page.setViewportSize(VIEWS.phone)
  await anna.at('all-channels').click()
  await inReach(anna, `channel-${CHANNEL}`, 'list')
  await anna.page.locator(`[data-testid="channel-${CHANNEL}"] .live`).waitFor()
  assert.match(await anna.at(`channel-${CHANNEL}`).getAttribute('aria-label'), /call in progress/)
  assert.equal(await anna.page.locator('[data-testid="channel-elsewhere"] .live').count(), 0)
  for (const control of ['return-to-call', 'mute', 'leave-call']) await inReach(anna, control, 'phone, list')
  await fits(anna, 'phone, list')
  await picture(anna, 'bar-phone-list')
  await anna.unmute()
  await ben.page.locator(`[data-testid="participant-${anna.username}"][data-muted="false"]`).waitFor()
  await anna.mute()
  await anna.at('return-to-call').click()
  await anna.sees('call-stage')

  // Where there is no room for the stage, the bar leads to it, and there every control can be reached.
  await anna.page.setViewportSize(VIEWS['zoom-400'])
  await anna.at('return-to-call').click()
  await anna.sees('call-stage')
  for (const control of ['mute', 'leave-call', 'raise-hand']) await inReach(anna, control, 'zoom-400, stage')
  await picture(anna, 'bar-zoom-400-stage')
  await anna.at('leave-call').click()
  await ben.seesParticipant(anna.username, { shown: false })

  // Left by the bar: the focus goes to where another call is begun, and not just anywhere.
  await anna.page.setViewportSize(DESKTOP)
  await anna.joinCall()
  await anna.enter('elsewhere')
  await anna.sees('call-bar')
  // Before that, asked and agreed: out of the one call and into the other.
  await anna.at('start-call').click()
  await anna.at('question-yes').click()
  await anna.sees('call-stage')
  await ben.seesParticipant(anna.username, { shown: false })
  await anna.enter(CHANNEL)
  await anna.sees('call-bar')
  await anna.at('leave-call').focus()
  await anna.page.keyboard.press('Enter')
  await anna.sees('call-bar', { shown: false })
  await until('the focus is at the call button', async () => {
    const focused = await anna.page.evaluate(() => document.activeElement?.dataset?.testid)
    return focused === 'join-call' || new Miss(focused)
  })
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])
})

story('two_tabs', 'a second tab of the same person says so, takes the call over, and leads in by a link', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  await ben.startCall()
  await anna.joinCall()
  await anna.unmute()
  const link = await anna.page.evaluate(() => {
    const copied = new Promise((resolve) => { navigator.clipboard.writeText = async (text) => resolve(text) })
    document.querySelector('[data-testid="copy-call-link"]').click()
    return copied
  })
  assert.match(link, /\/channels\/[a-z0-9]{26}\?join_call=true$/)

  // The second tab: no promise to join what one is in already, but the way to have it here.
  const tab = Object.assign(Object.create(Object.getPrototypeOf(anna)), { username: anna.username, page: await anna.context.newPage() })
  await tab.page.goto(stage.server.url)
  await tab.enter(CHANNEL)
  await tab.sees('elsewhere')
  assert.equal(await tab.at('elsewhere').getAttribute('data-where'), 'tab')
  assert.equal(await tab.at('join-call').count(), 0)
  await picture(tab, 'two-tabs')
  await tab.at('switch-here').click()
  await tab.sees('leave-call')
  await anna.sees('call-ending')
  assert.equal(await anna.at('call-ending').getAttribute('data-code'), 'moved')
  await until('the microphone came along', async () => !(await tab.isMuted()))
  await until('ben sees one anna', async () => (await ben.at('participants').getAttribute('data-count')) === '2')
  await tab.page.close()
  await ben.seesParticipant(anna.username, { shown: false })

  // By the link: first the lobby, where one chooses whether one is heard.
  // Devices are there at once; where the browser would ask, it asks when she wants to try hers.
  await anna.context.clearPermissions()
  await anna.page.goto(link)
  await anna.sees('lobby')
  assert.match(await anna.at('lobby').textContent(), /Ben/)
  await anna.sees('microphone')
  await anna.sees('test-sound')
  await anna.sees('lobby-test')
  assert.equal(await anna.at('level').count(), 0)
  await anna.context.grantPermissions(['microphone', 'camera'])
  await anna.at('lobby-test').click()
  await until('the level shows the tone', async () => Number(await anna.at('level').getAttribute('data-level')) > 5)
  await picture(anna, 'lobby')
  await anna.at('lobby-unmuted').click({ trial: true })
  await anna.page.setViewportSize(VIEWS.phone)
  await inReach(anna, 'lobby-join', 'phone')
  await picture(anna, 'lobby-phone')
  await anna.page.setViewportSize(DESKTOP)
  assert.equal(await ben.page.locator(`[data-testid="participant-${anna.username}"]`).count(), 0, 'nobody is in by a link alone')
  await anna.at('lobby-join').click()
  await ben.seesParticipant(anna.username)
  assert.equal(await anna.isMuted(), true)
  assert.deepEqual([...anna.troubles, ...ben.troubles], [])

  // The server goes away: one notice, and nothing that claims all is well.
  stage.server.process.kill('SIGTERM')
  await anna.sees('offline', { ms: 20_000 })
  const [state, doubtful] = await Promise.all(['data-state', 'data-doubtful'].map((name) => anna.at('connection-status').getAttribute(name)))
  assert.ok(state !== 'connected' || doubtful === 'true', `${state}, doubtful ${doubtful}`)
  await anna.page.waitForTimeout(2_000)
  // That she speaks while muted is no trouble.
  const notices = await anna.page.locator('.notice:not(.muted-hint)').allTextContents()
  assert.equal(notices.length, 1, notices.join(' | '))
})

story('two_devices', 'who is in the call on another device has it here by one button, or ends it there, and it does not come back by itself', async (stage) => {
  await stage.serve()
  const ben = await stage.person(BEN)
  const laptop = await stage.person(ANNA, { hz: TONES.first })
  const phone = await stage.person(ANNA, { viewport: VIEWS.phone })
  await ben.startCall()
  await laptop.joinCall()
  await laptop.unmute()
  await phone.sees('elsewhere')
  assert.equal(await phone.at('elsewhere').getAttribute('data-where'), 'device')
  await picture(phone, 'two-devices-phone')
  await phone.at('switch-here').click()
  await laptop.sees('call-ending')
  assert.equal(await laptop.at('call-ending').getAttribute('data-code'), 'moved')
  await until('the phone is as loud as the laptop was', async () => !(await phone.isMuted()))
  await ben.seesParticipant(phone.username)
  assert.equal(await laptop.at('leave-call').count(), 0)

  // Both at once, and then one of them, by the other.
  await laptop.sees('elsewhere')
  await picture(laptop, 'two-devices')
  await laptop.at('join-too').click()
  await laptop.sees('leave-call')
  await laptop.at('leave-there').click()
  await phone.sees('call-ending')
  assert.equal(await phone.at('call-ending').getAttribute('data-code'), 'moved')
  await laptop.at('elsewhere').waitFor({ state: 'detached' })
  await phone.page.waitForTimeout(3_000)
  assert.equal(await phone.at('leave-call').count(), 0, 'the phone stays out')
  await ben.seesParticipant(laptop.username)
  assert.deepEqual([...laptop.troubles, ...phone.troubles], [])
})

async function newChannel(person, name) {
  await person.at('add-channel').click()
  await person.at('new-channel-name').fill(name)
  await person.at('create-channel').click()
  await person.sees('start-call')
}

async function openCallThread(person) {
  const inStage = await person.at('call-thread').count()
  await (inStage > 0 ? person.at('call-thread') : person.page.locator('[data-testid="reply"], [data-testid="open-thread"]').last()).click()
  await person.sees('thread-panel')
}

/** On a button of the call, also once its microphone can be used. */
async function focusInCall(person) {
  await until(`${person.username}'s microphone can be used`, () => person.at('mute').isEnabled())
  await until(`the focus of ${person.username} is in the call`, async () => {
    const { focused, inCall } = await person.page.evaluate(() => {
      const focused = document.activeElement
      return { focused: focused?.dataset.testid ?? focused?.tagName, inCall: focused?.closest('[data-testid="call-stage"]') !== null && focused?.tagName === 'BUTTON' }
    })
    return inCall || new Miss(focused)
  }, { ms: 3_000 })
}

async function bothInReach(person, where) {
  for (const control of ['mute', 'leave-call']) await inReach(person, control, where)
}

/** Whole inside the window, and nothing lies over it. */
async function inReach(person, testId, where = '') {
  await until(`${testId} is in reach (${where})`, async () => {
    const found = await person.at(testId).evaluate((element) => {
      const box = element.getBoundingClientRect()
      const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2)
      const whole = box.left >= 0 && box.top >= 0 && box.right <= innerWidth + 1 && box.bottom <= innerHeight + 1 && box.width > 20 && box.height > 20
      return { whole, free: element.contains(top), box: [box.left, box.top, box.right, box.bottom].map(Math.round), over: top?.className ?? '' }
    })
    return (found.whole && found.free) || new Miss(found)
  }, { ms: 4_000 })
}

/** Nothing has to be scrolled sideways. */
async function fits(person, name) {
  const wide = await person.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(wide <= 0, `${name}: ${wide} px too wide`)
}

async function picture({ page }, name) {
  fs.mkdirSync(SHOTS, { recursive: true })
  await page.screenshot({ path: path.join(SHOTS, `${name}.png`) })
}
