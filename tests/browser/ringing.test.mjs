// A call in a direct message reaches the other person, and in a group message each of the others: card, sound,
// notice, answer, and the mark it leaves.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { ask } from './harness/chat.mjs'
import { hearsTone } from './harness/listen.mjs'
import { Person } from './harness/person.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const RINGING = { env: { MM_CALLS_ENABLE_RINGING: 'true' } }
const SHOTS = path.join(ROOT, 'target', 'shots')

story('ringing', 'a direct call rings on every device until it is answered or declined, and a missed one is marked', async (stage) => {
  await stage.serve(RINGING)
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN, { hz: TONES.second })
  const tablet = await anotherDevice(stage, ben)
  await listenForTones(anna, ben, tablet)
  await writesTo(anna, ben)

  await anna.startCall()
  await anna.sees('calling')
  assert.equal(await anna.at('calling').getAttribute('data-state'), 'ringing')
  await anna.seesParticipant(anna.username)
  await until('anna hears that it rings', () => tonesOf(anna))
  for (const device of [ben, tablet]) await rings(device, { sounding: true })
  const who = await ben.at('incoming-call').textContent()
  assert.match(who, /Anna/, `the card names the caller: ${who}`)
  await until('it is heard', () => tonesOf(ben))
  await until('ben is told outside of the page', () => ben.page.evaluate(() => window.notices.length === 1 && window.notices[0].includes('Anna')))
  fs.mkdirSync(SHOTS, { recursive: true })
  await ben.page.screenshot({ path: path.join(SHOTS, 'ringing-desktop.png') })

  // Declined on one device it stops on the other; the caller goes and finds no answer in the channel.
  await ben.at('ring-decline').click()
  for (const device of [ben, tablet]) await device.sees('incoming-call', { shown: false, ms: 5_000 })
  await anna.leaveCall()
  await hasOutcome(anna, 'unanswered')
  await ben.enter(anna.username)
  await hasOutcome(ben, 'missed')
  assert.match(await ben.at('call-post').textContent(), /Missed call from Anna/)

  // Answered on one device it stops on the other, and the two talk at once: also when that ends another call, about
  // which one is asked, and during which nothing sounds.
  await ben.enter(CHANNEL)
  await ben.startCall()
  await anna.startCall()
  await rings(tablet, { sounding: true })
  await rings(ben, { sounding: false })
  assert.match(await ben.at('incoming-call').textContent(), /You are in another call/)
  await ben.at('ring-accept').click()
  await ben.sees('question')
  await ben.at('question-no').click()
  await rings(ben, { sounding: false })
  await ben.at('ring-accept').click()
  await ben.at('question-yes').click()
  await ben.sees('call-stage')
  await tablet.sees('incoming-call', { shown: false, ms: 5_000 })
  await anna.sees('calling', { shown: false })
  await hearsTone(anna.page, TONES.second, { who: 'anna' })
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  await anna.leaveCall()
  await ben.leaveCall()
  await hasOutcome(ben, 'ended')

  // The off switch: the card comes, the sound does not.
  await tablet.at('sound-settings').click()
  await tablet.at('alert-ring').uncheck()
  await tablet.page.keyboard.press('Escape')
  await tablet.page.evaluate(() => { window.tones = 0 })
  await anna.startCall()
  await rings(tablet, { sounding: false })
  await rings(ben, { sounding: true })
  assert.equal(await tonesOf(tablet), 0, 'nothing is heard')
  await ben.at('ring-hush').click()
  await rings(ben, { sounding: false })

  // A page that is opened while it rings shows the card as well; do not disturb keeps it away.
  await tablet.page.reload()
  await rings(tablet, { sounding: false })
  await tablet.page.evaluate(async () => {
    const me = await (await fetch('/api/v4/users/me')).json()
    await fetch(`/api/v4/users/${me.id}/status`, {
      method: 'PUT', headers: { 'content-type': 'application/json', 'X-Requested-With': 'XMLHttpRequest' },
      body: JSON.stringify({ user_id: me.id, status: 'dnd' }),
    })
  })
  await tablet.page.reload()
  await tablet.sees(`channel-${anna.username}`)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  assert.equal(await tablet.at('incoming-call').count(), 0, 'do not disturb')

  await anna.leaveCall()
  await ben.sees('incoming-call', { shown: false })
  assert.deepEqual([anna, ben, tablet].flatMap(({ troubles }) => troubles), [])
})

story('ringing_group', 'a call in a group message rings at all others, each answers for themselves, and who did not come has missed it', async (stage) => {
  const { accounts } = await stage.serve(RINGING)
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  const carla = await stage.person(CARLA, { hz: TONES.third })
  const others = [ben, carla]
  await anna.at('new-direct').click()
  for (const { username } of others) await anna.at(`gather-${username}`).click()
  await anna.at('open-group').click()
  await anna.sees('start-call')
  const { name: group } = (await ask(stage.server, accounts[ANNA], 'GET', '/users/me/channels')).find(({ type }) => type === 'G')

  // Who declines ends it for nobody else.
  await anna.startCall()
  for (const person of others) {
    await rings(person, { sounding: true })
    assert.match(await person.at('incoming-call').textContent(), /Anna.*anna, ben, carla/)
  }
  const declined = ben.page.waitForResponse((answer) => answer.url().endsWith('/dismiss-notification'))
  await ben.at('ring-decline').click()
  await declined
  await ben.sees('incoming-call', { shown: false, ms: 5_000 })
  await ben.enter(group)
  await ben.sees('join-call')
  await rings(carla, { sounding: true })
  assert.equal(await anna.at('calling').getAttribute('data-state'), 'ringing')

  await carla.at('ring-accept').click()
  await carla.sees('call-stage')
  await carla.sees('incoming-call', { shown: false })
  await anna.sees('calling', { shown: false })
  await hearsTone(anna.page, TONES.third, { who: 'anna' })
  await hearsTone(carla.page, TONES.first, { who: 'carla' })
  await anna.seesParticipant(ben.username, { shown: false })
  assert.equal(await ben.at('incoming-call').count(), 0, 'it rings no more where it was declined')
  await anna.leaveCall()
  await carla.leaveCall()
  await hasOutcome(anna, 'ended')
  await hasOutcome(carla, 'ended')
  await hasOutcome(ben, 'missed')

  // Nobody took it: the caller had no answer, and each of the others missed it.
  await anna.startCall()
  for (const person of others) await rings(person, { sounding: true })
  await anna.leaveCall()
  for (const person of others) {
    await person.sees('incoming-call', { shown: false })
    await until(`${person.username} has the mark of a missed call`, async () => {
      const texts = await person.page.locator('[data-testid="call-post"]').allTextContents()
      return /Missed call from Anna/.test(texts.at(-1)) || new Miss(texts)
    })
  }
  await hasOutcome(anna, 'unanswered')
  assert.deepEqual([anna, ben, carla].flatMap(({ troubles }) => troubles), [])
})

/** The same account with nothing in common but the machine: cookies and storage of its own. */
async function anotherDevice(stage, { browser, account }) {
  const device = new Person(account)
  device.context = await browser.newContext({ permissions: ['microphone'] })
  device.page = await device.context.newPage()
  device.page.on('pageerror', (error) => device.troubles.push(`uncaught: ${error.message}`))
  await device.page.goto(stage.server.url)
  await device.signIn()
  await device.enter(CHANNEL)
  return device
}

async function writesTo(person, other) {
  await person.at('new-direct').click()
  await person.at(`person-${other.username}`).click()
  await person.sees('start-call')
}

async function rings(person, { sounding }) {
  await person.sees('incoming-call')
  await until(`${person.username}'s card ${sounding ? 'sounds' : 'is silent'}`, async () => {
    const state = await person.at('incoming-call').getAttribute('data-sounding')
    return state === String(sounding) || new Miss(state)
  })
}

async function hasOutcome(person, wanted) {
  await until(`${person.username}'s newest call post says ${wanted}`, async () => {
    const all = await person.page.locator('[data-testid="call-post"]').evaluateAll((posts) => posts.map((post) => post.dataset.outcome))
    return all.at(-1) === wanted || new Miss(all)
  })
}

/** Counts the page's own sounds and notices from now on. */
async function listenForTones(...people) {
  for (const { page } of people) {
    await page.evaluate(() => {
      window.tones = 0
      const start = OscillatorNode.prototype.start
      OscillatorNode.prototype.start = function (...args) {
        window.tones += 1
        return start.apply(this, args)
      }
      window.notices = []
      document.hasFocus = () => false
      window.Notification = class {
        static permission = 'granted'
        constructor(title) {
          window.notices.push(title)
        }
        close() {}
      }
    })
  }
}

function tonesOf({ page }) {
  return page.evaluate(() => window.tones)
}
