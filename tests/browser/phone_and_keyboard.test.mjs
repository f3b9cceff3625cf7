// The web client on a phone's width, without a mouse, in light and in dark.
//
// The pictures land in target/shots, for people to look at.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { faults } from './harness/audit.mjs'
import { ask } from './harness/chat.mjs'
import { faultsOf } from './harness/layout.mjs'
import { hearsNoTone, hearsTone, seesColours } from './harness/listen.mjs'
import { ROOT } from './harness/server.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { TONES } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const PHONE = { width: 360, height: 740 }
const SHOTS = path.join(ROOT, 'target', 'shots')
/** More stops than any page of the client has: a wish that is not met by then cannot be reached. */
const MAX_TABS = 80

story('phone', 'the client is usable at a width of 360 px, from sign-in to a call with a shared screen', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { hz: TONES.first })
  await anna.startCall()
  await anna.unmute()

  const ben = await stage.stranger(BEN, { hz: TONES.second, viewport: PHONE })
  await ben.sees('sign-in')
  await fits(ben, 'phone-1-sign-in')
  await ben.signIn()
  await reachChannel(ben)
  await ben.sees('join-call')
  await fits(ben, 'phone-2-channel')
  await ben.joinCall()
  await ben.unmute()
  await hearsTone(anna.page, TONES.second, { who: 'anna' })
  await fits(ben, 'phone-3-call')
  for (const control of ['mute', 'raise-hand', 'leave-call']) await inReach(ben, control)

  const colours = ['red', 'lime', 'blue', 'yellow']
  await anna.shareScreen(colours)
  await seesColours(ben.page, '[data-testid="screen-video"]', colours, { who: 'ben' })
  await fits(ben, 'phone-4-screen')
  for (const control of ['mute', 'leave-call']) await inReach(ben, control)

  // A name that has no room there is read whole where a finger touches it.
  const [first, last] = ['Maximiliane Alexandra', 'von Hohenlohe-Langenburg zu Waldenstein']
  await ask(stage.server, stage.server.accounts[ANNA], 'PUT', '/users/me/patch', { first_name: first, last_name: last })
  await ben.page.locator('.tile-words', { hasText: last }).waitFor()
  await ben.at(`participant-${anna.username}`).evaluate((tile) => tile.dispatchEvent(new PointerEvent('click', { bubbles: true, pointerType: 'touch' })))
  await ben.sees('whole-name')
  assert.equal(await ben.at('whole-name').textContent(), `${first} ${last}`)
  await fits(ben, 'phone-5-whole-name')
  await ben.page.keyboard.press('Escape')
  await ben.at('whole-name').waitFor({ state: 'detached' })
  await ben.leaveCall()

  // The keyboard of a phone covers the lower half: what one writes is above it.
  await ben.page.evaluate(() => {
    const view = window.visualViewport
    Object.defineProperty(view, 'height', { configurable: true, value: 300 })
    view.dispatchEvent(new Event('resize'))
  })
  await ben.at('composer').click()
  await ben.page.keyboard.type('from the train')
  const field = await until('the field is above the keyboard', async () => {
    const box = await ben.at('composer').boundingBox()
    return box.y >= 0 && box.y + box.height <= 300 ? box : new Miss(box)
  })
  assert.ok(field.height > 20)
  await ben.page.evaluate(() => {
    delete window.visualViewport.height
    window.visualViewport.dispatchEvent(new Event('resize'))
  })
  await until('it is down again', async () => (await ben.at('composer').boundingBox()).y > 300)
})

story('phone_host', 'a host on a phone has the controls of a recorded call in one row that fingers hit, the others behind *more*', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA, { viewport: { width: 390, height: 844 } })
  await anna.startCall()
  await inOneRow(anna, ['mute', 'raise-hand', 'react', 'share-screen', 'share-options', 'call-more', 'leave-call'])
  await anna.at('call-more').click()
  await anna.at('more-menu').locator('[data-testid="record-start"]').click()
  await anna.sees('recording-notice', { ms: 60_000 })
  await inOneRow(anna, ['mute', 'raise-hand', 'react', 'share-screen', 'share-options', 'call-more', 'leave-call'])

  // As phones are: they share no screen.
  await anna.page.evaluate(() => [navigator.mediaDevices, MediaDevices.prototype].forEach((one) => delete one.getDisplayMedia))
  await anna.raiseHand()
  await inOneRow(anna, ['mute', 'raise-hand', 'react', 'record-pause', 'record-stop', 'call-more', 'leave-call'])
  await shoot(anna, 'phone-host')
  assert.deepEqual(await faults(anna, 'phone-host'), [])
  assert.deepEqual(await faultsOf(anna), [])
  await anna.at('call-more').click()
  const menu = anna.at('more-menu').locator('button')
  await until('the others are in the menu', async () => {
    const items = await menu.evaluateAll((buttons) => buttons.map((button) => button.dataset.testid))
    return ['toggle-captions', 'end-call', 'open-devices', 'open-people'].every((one) => items.includes(one)) || new Miss(items)
  })
  const low = await menu.evaluateAll((buttons) => buttons.map((button) => button.getBoundingClientRect().height).filter((height) => height < 40))
  assert.deepEqual(low, [])
  await shoot(anna, 'phone-host-more')
  assert.deepEqual(await faults(anna, 'phone-host-more'), [])
  await anna.at('toggle-captions').click()
  await anna.sees('captions', { shown: false })

  // On a wider screen there is room for all of them; a narrower one keeps what is needed most.
  await anna.page.setViewportSize({ width: 1000, height: 844 })
  await anna.sees('end-call')
  await anna.page.setViewportSize({ width: 320, height: 640 })
  await inOneRow(anna, ['mute', 'raise-hand', 'react', 'record-pause', 'call-more', 'leave-call'])

  await anna.at('call-more').click()
  await anna.at('end-call').click()
  await anna.page.locator('[data-testid="question"][data-kind="end-call"]').waitFor()
  await anna.at('question-yes').click()
  await anna.page.locator('[data-testid="call-post"][data-state="ended"]').first().waitFor({ timeout: 20_000 })
  assert.deepEqual(anna.troubles, [])
})

/** What a finger hits is at least this wide and high. */
const FINGER = 44

/** The row of the call's controls holds these and nothing else, beside each other, each large enough. */
async function inOneRow(person, expected) {
  await until(`${expected.join(', ')} stand in the row`, async () => {
    const buttons = await person.page.locator('.controls button:not(.floating button)').evaluateAll((all) => all.filter((one) => one.checkVisibility()).map((one) => {
      const { left, top, width, height, right } = one.getBoundingClientRect()
      return { name: one.dataset.testid, left, top, width, height, right }
    }))
    const names = buttons.map(({ name }) => name)
    if (names.join() !== expected.join()) return new Miss(names)
    const wrong = buttons.filter(({ left, top, width, height, right }, index) => Math.round(width) < FINGER || Math.round(height) < FINGER
      || Math.abs(top + height / 2 - buttons[0].top - buttons[0].height / 2) > 4 || left < 0 || right > person.page.viewportSize().width
      || (index > 0 && left < buttons[index - 1].right))
    return wrong.length === 0 || new Miss(wrong)
  })
}

story('keyboard', 'a call is started, muted and left with the keyboard alone', async (stage) => {
  await stage.serve()
  const anna = await stage.stranger(ANNA, { hz: TONES.first })
  const ben = await stage.person(BEN)

  await tabTo(anna, 'login-id')
  await anna.page.keyboard.type(anna.username)
  await tabTo(anna, 'password')
  await anna.page.keyboard.type(anna.account.password)
  await anna.page.keyboard.press('Enter')
  await anna.sees(`channel-${CHANNEL}`)
  await press(anna, `channel-${CHANNEL}`)
  await anna.sees('start-call')
  await press(anna, 'start-call')
  await focusIs(anna, 'mute')

  await ben.joinCall()
  await until('the microphone can be used', () => anna.at('mute').isEnabled())
  await focusIs(anna, 'mute')
  // While the microphone opens, its button does nothing, and keeps the focus.
  if (await anna.isMuted()) await anna.page.keyboard.press('Enter')
  await hearsTone(ben.page, TONES.first, { who: 'ben' })
  await focusIs(anna, 'mute')
  await anna.page.keyboard.press('Enter')
  await until('anna is muted', () => anna.isMuted())
  await hearsNoTone(ben.page, TONES.first, { who: 'ben' })
  await press(anna, 'leave-call')
  await anna.sees('leave-call', { shown: false })
  assert.deepEqual(anna.troubles, [])
})

story('light_and_dark', 'the client follows the wish for light or dark colours', async (stage) => {
  await stage.serve()
  const brightness = {}
  for (const [index, colourScheme] of [[ANNA, 'light'], [BEN, 'dark']]) {
    const person = await stage.person(index, { hz: TONES.first, colourScheme })
    if (index === ANNA) await person.startCall()
    else await person.joinCall()
    await person.unmute()
    await shoot(person, `desktop-${colourScheme}`)
    brightness[colourScheme] = await brightnessOf(person)
    const weakest = await weakestContrast(person)
    stage.say(`${colourScheme}: page brightness ${brightness[colourScheme].toFixed(2)}, weakest contrast ${weakest.ratio.toFixed(1)} (${weakest.text})`)
    assert.ok(weakest.ratio >= 4.5, `contrast ${weakest.ratio.toFixed(2)} of \`${weakest.text}\` in ${colourScheme}: 4.5 is needed (WCAG 1.4.3)`)
  }
  assert.ok(brightness.light > 0.7, `light is ${brightness.light}`)
  assert.ok(brightness.dark < 0.2, `dark is ${brightness.dark}`)
})

/** On a phone the channel list may be behind the open channel or behind a button. */
async function reachChannel(person) {
  const entry = person.at(`channel-${CHANNEL}`)
  const opened = person.page.locator('[data-testid="join-call"], [data-testid="start-call"]').first()
  await until('the channel list or the channel is shown', async () => (await entry.isVisible()) || opened.isVisible())
  if (await entry.isVisible()) await entry.click()
}

async function shoot(person, name) {
  fs.mkdirSync(SHOTS, { recursive: true })
  await person.page.screenshot({ path: path.join(SHOTS, `${name}.png`) })
}

/** Nothing may stick out to the right: a phone's user would have to scroll sideways. */
async function fits(person, name) {
  await shoot(person, name)
  const { width, wide } = await person.page.evaluate(() => {
    const limit = document.documentElement.clientWidth
    const wide = [...document.querySelectorAll('body *')]
      .filter((part) => part.checkVisibility() && part.getBoundingClientRect().right > limit + 1 && part.getBoundingClientRect().width > 0)
      .filter((part) => part.dataset.testid || part.tagName === 'BUTTON')
      .map((part) => `${part.tagName.toLowerCase()} ${part.dataset.testid ?? part.className}`)
    return { width: document.scrollingElement.scrollWidth, wide }
  })
  assert.ok(width <= PHONE.width, `${name}: the page is ${width} px wide at a width of ${PHONE.width}; out of sight: ${wide.join(', ')}`)
  assert.deepEqual(wide, [], `${name}: out of sight on the right`)
}

/** A control can be pressed with a thumb: inside the picture and at least 24 px (WCAG 2.5.8). */
async function inReach(person, testId) {
  const box = await person.at(testId).boundingBox()
  assert.ok(box, `\`${testId}\` is not shown`)
  assert.ok(box.width >= 24 && box.height >= 24, `\`${testId}\` is ${box.width} x ${box.height} px`)
  assert.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= PHONE.width && box.y + box.height <= PHONE.height,
    `\`${testId}\` is outside the picture: ${JSON.stringify(box)}`)
}

/** Presses Tab until the element has the focus, as a person without a mouse does. */
async function tabTo(person, testId) {
  const visited = []
  for (let stops = 0; stops < MAX_TABS; stops += 1) {
    const here = await person.page.evaluate((wanted) => {
      const focused = document.activeElement
      const name = focused?.closest(`[data-testid="${wanted}"]`) ? wanted : (focused?.dataset?.testid ?? focused?.tagName)
      const ring = getComputedStyle(focused)
      const marked = focused.matches(':focus-visible') && (ring.outlineStyle !== 'none' || ring.boxShadow !== 'none')
      return { name, marked }
    }, testId)
    visited.push(here.name)
    if (here.name === testId) {
      assert.ok(here.marked, `\`${testId}\` does not show that it has the focus`)
      return
    }
    await person.page.keyboard.press('Tab')
  }
  throw new Error(`\`${testId}\` cannot be reached with Tab; visited: ${[...new Set(visited)].join(', ')}`)
}

async function press(person, testId) {
  await tabTo(person, testId)
  await person.page.keyboard.press('Enter')
}

/** Relative brightness of the page's ground, 0 (black) to 1 (white). */
function brightnessOf(person) {
  return person.page.evaluate(() => {
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number)
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255
  })
}

/** The text with the least contrast to its ground, of all text that is shown: `{ratio, text}`. */
function weakestContrast(person) {
  return person.page.evaluate(() => {
    const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)
    const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
    /** Any CSS colour as [red, green, blue, alpha]. */
    const read = (colour) => {
      canvas.clearRect(0, 0, 1, 1)
      canvas.fillStyle = colour
      canvas.fillRect(0, 0, 1, 1)
      const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data
      return [red, green, blue, alpha / 255]
    }
    const ground = (part) => {
      for (let at = part; at; at = at.parentElement) {
        const style = getComputedStyle(at)
        if (style.backgroundImage !== 'none') return undefined
        const colour = read(style.backgroundColor)
        if (colour[3] > 0.95) return colour
        if (colour[3] > 0.05) return undefined // see-through: cannot be told from the style alone
      }
      return [255, 255, 255, 1]
    }
    let weakest = { ratio: 21, text: '' }
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim()
      const part = walker.currentNode.parentElement
      if (!text || !part.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || part.closest('[disabled],[aria-disabled="true"],option,script,style')) continue
      const box = part.getBoundingClientRect()
      const [under, over] = [ground(part), read(getComputedStyle(part).color)]
      if (!under || over[3] < 0.95 || box.width < 2 || box.height < 2) continue
      const [light, dark] = [luminance(under), luminance(over)].sort((a, b) => b - a)
      const ratio = (light + 0.05) / (dark + 0.05)
      if (ratio < weakest.ratio) weakest = { ratio, text: text.slice(0, 40) }
    }
    return weakest
  })
}

function focusIs(person, testId) {
  return until(`the focus is at ${testId}`, async () => {
    const focused = await person.page.evaluate(() => document.activeElement?.dataset.testid ?? document.activeElement?.tagName)
    return focused === testId || new Miss(focused)
  }, { ms: 5_000 })
}
