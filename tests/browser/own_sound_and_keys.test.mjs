// What each person has for themselves: keys, devices, how loud others are, the order of people.

import assert from 'node:assert/strict'
import path from 'node:path'

import { hearsNoTone, hearsTone } from './harness/listen.mjs'
import { story } from './harness/story.mjs'
import { TONES, writeWav } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const MUTE_KEY = 'Control+Shift+Space'

story('keys', 'keys act with a modifier only, are listed, changed and switched off; the popover gives the focus back', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  await anna.startCall()
  await ben.joinCall()

  // Who comes in muted and speaks is told, after a reload as well; nobody hears it.
  for (const muted of ['from the beginning', 'after a reload']) {
    await anna.sees('muted-hint')
    assert.equal(await anna.page.evaluate(() => window.callsClient.muted), true, muted)
    await hearsNoTone(ben.page, TONES.first, { who: `ben, ${muted},` })
    if (muted === 'from the beginning') await anna.page.reload()
  }
  await anna.at('mute').focus()

  // A letter alone does nothing; the combination does, also while one writes.
  for (const letter of ['m', 's', 'h', 'c']) await anna.page.keyboard.press(letter)
  await until('the microphone is ready', () => anna.at('mute').isEnabled())
  assert.ok(await anna.isMuted())
  assert.equal(await anna.at('raise-hand').getAttribute('aria-pressed'), 'false')
  await anna.at('composer').fill('a note')
  await anna.page.keyboard.press(MUTE_KEY)
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  assert.equal(await anna.at('composer').inputValue(), 'a note')
  await anna.page.keyboard.type('?')
  assert.equal(await anna.at('shortcuts-dialog').count(), 0, 'a question mark in a text is one')
  const open = await microphoneLooks(anna)
  const place = await anna.at('mute').boundingBox()
  await anna.page.keyboard.press(MUTE_KEY)
  await until('anna is muted', () => anna.isMuted())
  tellsApart(open, await microphoneLooks(anna))

  // Speaking while muted: only she is told, and the button stays where the hand is going.
  await anna.sees('muted-hint')
  assert.equal((await anna.at('mute').boundingBox()).y, place.y)
  assert.equal(await ben.at('muted-hint').count(), 0)

  // The list, another key, no keys at all.
  await anna.at('mute').focus()
  await anna.page.keyboard.press('?')
  await anna.sees('shortcuts-dialog')
  await anna.at('key-hand').click()
  await anna.page.keyboard.press('Alt+Shift+K')
  assert.equal(await anna.at('key-hand').getAttribute('data-key'), 'Alt+Shift+K')
  await anna.page.keyboard.press('Escape')
  await anna.at('shortcuts-dialog').waitFor({ state: 'detached' })
  await until('the focus is where it was', async () => (await focus(anna)) === 'mute')
  await anna.page.keyboard.press('Alt+Shift+K')
  await until('the hand is raised', async () => (await anna.at('raise-hand').getAttribute('aria-pressed')) === 'true')
  await anna.page.keyboard.press('?')
  await anna.at('shortcuts-on').uncheck()
  await anna.at('close-dialog').click()
  await anna.at('participants').focus()
  await anna.page.keyboard.press(MUTE_KEY)
  await anna.page.keyboard.press('?')
  await anna.page.waitForTimeout(500)
  assert.ok(await anna.isMuted(), 'switched off, no key acts')
  assert.equal(await anna.at('shortcuts-dialog').count(), 0)
  await anna.at('call-more').click()
  await anna.at('open-shortcuts').click()
  await anna.at('shortcuts-on').check()
  await anna.at('close-dialog').click()

  // Push to talk: heard while the key is held.
  await anna.at('call-more').click()
  await anna.at('open-devices').click()
  await anna.at('push-to-talk').check()
  await anna.at('close-dialog').click()
  await until('the dialog is gone', async () => (await anna.at('devices-dialog').count()) === 0)
  await anna.page.keyboard.down('Control')
  await anna.page.keyboard.down('Shift')
  await anna.page.keyboard.down('Space')
  await hearsTone(ben.page, TONES.first, { who: 'ben, while the key is held,' })
  await anna.page.keyboard.up('Space')
  await until('anna is muted again', () => anna.isMuted())
  await hearsNoTone(ben.page, TONES.first, { who: 'ben' })
  await anna.page.keyboard.up('Shift')
  await anna.page.keyboard.up('Control')

  // Reactions: more than six, closed by Escape and by a click elsewhere, seen without motion, too.
  await ben.page.emulateMedia({ reducedMotion: 'reduce' })
  await anna.at('react').click()
  await anna.at('reactions').locator('button').nth(6).waitFor()
  await anna.page.keyboard.press('Escape')
  await anna.at('reactions').waitFor({ state: 'hidden' })
  assert.equal(await focus(anna), 'react')
  await anna.at('react').click()
  await anna.at('reactions').waitFor()
  await anna.at('post-list').click({ position: { x: 5, y: 5 } })
  await anna.at('reactions').waitFor({ state: 'hidden' })
  await anna.react('rocket')
  const seen = ben.page.locator(`[data-testid="participant-${anna.username}"] [data-testid="reaction"]`)
  await seen.waitFor()
  await ben.page.waitForTimeout(300)
  assert.equal(await seen.evaluate((sign) => getComputedStyle(sign).opacity), '1')

  // Leaving: the focus goes to where a call is begun.
  await anna.at('leave-call').focus()
  await anna.page.keyboard.press('Enter')
  await until('the focus is at the call button', async () => ['start-call', 'join-call'].includes(await focus(anna)) || new Miss(await focus(anna)))
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles), [])
})

story('devices', 'devices are chosen, heard and remembered; a lost one is replaced; people have one order and their own volume', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)
  const carla = await stage.person(CARLA, { microphone: writeSyllables(path.join(stage.scratch, 'syllables.wav')) })
  await keepMicrophones(anna)
  await anna.startCall()
  await ben.joinCall()
  await carla.joinCall()
  await anna.unmute()
  await hearsTone(ben.page, TONES.first, { who: 'ben' })

  await anna.at('call-more').click()
  await anna.at('open-devices').click()
  const microphones = anna.at('microphone').locator('option')
  await until('there is a choice of microphones', async () => (await microphones.count()) > 2 || new Miss(await microphones.count()))
  const [first, second] = await microphones.evaluateAll((options) => options.slice(1).map(({ value, textContent }) => ({ value, name: textContent })))
  assert.ok(first.name.length > 0 && second.name.length > 0, 'devices have their names')
  await anna.at('microphone').selectOption(second.value)
  await until('the meter hears the tone', async () => Number(await anna.at('level').getAttribute('data-level')) > 40)
  await until('the chosen microphone is in use', async () => {
    const used = await anna.page.evaluate(() => window.microphones.filter((track) => track.readyState === 'live').map((track) => track.getSettings().deviceId))
    return used.every((id) => id === second.value) && used.length > 0 ? true : new Miss(used)
  })
  await hearsTone(ben.page, TONES.first, { who: 'ben, from the other microphone,' })
  await anna.at('noise-suppression').uncheck()
  await anna.at('test-sound').click()
  await anna.page.locator('[data-testid="test-sound"][data-playing="true"]').waitFor()
  await anna.page.locator('[data-testid="test-sound"][data-playing="false"]').waitFor()
  await anna.at('close-dialog').click()
  await hearsTone(ben.page, TONES.first, { who: 'ben, without suppression,' })

  // Unplugged: she is told, and goes on with another one.
  await anna.page.evaluate(() => {
    for (const track of window.microphones.filter(({ readyState }) => readyState === 'live')) {
      track.stop()
      track.dispatchEvent(new Event('ended'))
    }
  })
  await anna.page.locator('[data-testid="call-note"][data-kind="device"]').waitFor()
  await hearsTone(ben.page, TONES.first, { who: 'ben, after a microphone was lost,' })

  // How loud anna is for ben is his affair.
  await ben.at(`person-menu-${anna.username}`).click()
  await ben.at('volume').fill('25')
  await ben.page.keyboard.press('Escape')
  await until("ben's loudspeaker is at a quarter", async () => {
    const volume = await ben.at('remote-audio').evaluate((element) => element.volume)
    return volume === 0.25 ? true : new Miss(volume)
  })

  // How she arrives is known after some seconds of speech, and who speaks keeps its ring in forced colours.
  await ben.page.locator(`[data-testid="participant-${anna.username}"][data-quality="good"]`).waitFor({ timeout: 20_000 })
  await ben.page.emulateMedia({ forcedColors: 'active' })
  await carla.unmute()
  const ring = await ben.page.waitForFunction((name) => {
    const face = document.querySelector(`[data-testid="participant-${name}"][data-speaking="true"] .face`)
    return face && getComputedStyle(face).outlineStyle
  }, carla.username)
  assert.equal(await ring.jsonValue(), 'solid')
  await carla.mute()

  // Oneself, the host, raised hands, then the others; the same after a reload, and searchable.
  await carla.raiseHand()
  const orders = { [anna.username]: ['anna', 'carla', 'ben'], [ben.username]: ['ben', 'anna', 'carla'], [carla.username]: ['carla', 'anna', 'ben'] }
  for (const person of [anna, ben, carla]) await until(`${person.username} sees them in order`, () => sameOrder(person, orders[person.username]))
  await ben.page.reload()
  await ben.sees('leave-call')
  await ben.at('people-toggle').click()
  await until('ben sees them in order after a reload', async () => sameOrder(ben, orders.ben))
  assert.equal(await ben.at('people-list').getAttribute('data-count'), '3')
  await ben.at('people-search').fill('CARL')
  await until('one is found', async () => (await ben.at('people-list').getAttribute('data-count')) === '1')
  await ben.sees('person-row-carla')

  // What was chosen is there again.
  const kept = await anna.page.evaluate(() => JSON.parse(localStorage.getItem('parley.call-settings')))
  assert.equal(kept.microphone.id, second.value)
  assert.equal(kept.noiseSuppression, false)
  assert.deepEqual([anna, ben, carla].flatMap(({ troubles }) => troubles), [])
})

/** Keeps the tracks of microphones that the page opens from now on in `window.microphones`. */
function keepMicrophones(person) {
  return person.page.evaluate(() => {
    window.microphones = []
    const { mediaDevices } = navigator
    const original = mediaDevices.getUserMedia.bind(mediaDevices)
    mediaDevices.getUserMedia = async (wish) => {
      const stream = await original(wish)
      window.microphones.push(...stream.getAudioTracks())
      return stream
    }
  })
}

/** A steady tone is not taken for a voice: this one comes and goes four times a second. */
function writeSyllables(file) {
  const samples = new Int16Array(48_000)
  for (let at = 0; at < samples.length; at += 1) {
    if (Math.floor(at / 6000) % 2 === 0) samples[at] = Math.round(13_000 * Math.sin((2 * Math.PI * 500 * at) / 48_000))
  }
  return writeWav(file, samples)
}

async function sameOrder(person, wanted) {
  const found = await person.page.locator('[data-testid="participants"] > [data-testid]').evaluateAll((tiles) => tiles.map((tile) => tile.dataset.testid.replace('participant-', '')))
  return found.join() === wanted.join() ? true : new Miss(found)
}

/** What is seen of the microphone's button beside its fill, in usual colours and in forced ones. */
async function microphoneLooks(person) {
  await until('the microphone is ready', () => person.at('mute').isEnabled())
  const looks = []
  for (const forcedColors of ['none', 'active']) {
    await person.page.emulateMedia({ forcedColors })
    looks.push(await person.at('mute').evaluate((button) => {
      const [icon, word, style] = [button.querySelector('svg'), button.querySelector('.control-label'), getComputedStyle(button)]
      const isSeen = (part) => part.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && part.getBoundingClientRect().width > 10
      return { icon: isSeen(icon) && getComputedStyle(icon).stroke !== 'none' ? icon.innerHTML : '', word: isSeen(word) ? word.textContent : '', edge: style.borderTopStyle === 'solid' ? parseFloat(style.borderTopWidth) : 0 }
    }))
  }
  await person.page.emulateMedia({ forcedColors: 'none' })
  return looks
}

function tellsApart(open, muted) {
  for (const [index, colours] of ['usual', 'forced'].entries()) {
    const states = JSON.stringify({ open: open[index], muted: muted[index] })
    for (const sign of ['icon', 'word']) {
      assert.ok(open[index][sign] !== '' && muted[index][sign] !== '', `the microphone has its ${sign} in ${colours} colours: ${states}`)
      assert.notEqual(open[index][sign], muted[index][sign], `the ${sign} tells whether one is muted in ${colours} colours`)
    }
    assert.ok(open[index].edge >= 2 && muted[index].edge >= 2, `its edge is seen in ${colours} colours: ${states}`)
  }
  assert.ok(muted[1].edge > open[1].edge, `where no fill is left, the edge tells that one is muted: ${JSON.stringify({ open, muted })}`)
}

function focus(person) {
  return person.page.evaluate(() => document.activeElement?.dataset?.testid)
}
