// Tiles fill the room from one person to fifty, with names whole or told, in the wide view and above the
// messages; and what can be pressed has an edge that is seen (WCAG 1.4.11), in light and dark.
//
// The built page before `benches/page/crowd.mjs`: fifty people in browsers of their own there are not.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'node:test'

import { Crowd } from '../../benches/page/crowd.mjs'
import { launchChromium } from './harness/person.mjs'
import { ROOT } from './harness/server.mjs'
import { writeSilence } from './harness/tones.mjs'
import { Miss, until } from './harness/until.mjs'

const DIST = path.join(ROOT, 'signalling', 'web', 'dist')
const PEER = path.join(ROOT, 'benches', 'page', 'peer.js')
const SHOTS = path.join(ROOT, 'target', 'shots')
const SIZES = [1, 2, 3, 5, 9, 12, 16, 25, 36, 50]
/** What WCAG asks of the edge of a control. */
const EDGE = 3
const IN_CALL = 'button.control, input[type="search"], select, textarea, .side-panel > button'
/** Fields and plain buttons. What is written or drawn on the other buttons bounds them; lists and tabs have lines of their own. */
const OUTSIDE = 'input:not([type="checkbox"], [type="file"], [hidden]), select, textarea, button:not(.link, .icon-button, .entry, .menu-item, [role="tab"])'
/** Dialogs by what opens them, and how many fields and plain buttons each has at least. */
const DIALOGS = { profile: 5, search: 1, 'add-channel': 2, 'new-direct': 1, 'channel-info': 1 }

test('from 1 to 50 people fill the room of a call, and every name can be read', { timeout: 240_000 }, async (context) => {
  await withBrowser(async (browser) => {
    for (const people of SIZES) {
      await inCallOf(browser, people, async (page) => {
        for (const wide of [false, true]) {
          if (wide) await at(page, 'toggle-wide').click()
          await until(`${people} tiles have their size`, () => page.locator('.tile').first().evaluate((tile) => tile.getBoundingClientRect().width > 0))
          await page.waitForTimeout(200) // sizes follow what is measured
          const seen = await page.evaluate(lookAtTiles)
          const where = `${people} people, ${wide ? 'wide' : 'above the messages'}`
          context.diagnostic(`${where}: ${seen.form}, ${seen.width} x ${seen.height} px, ${Math.round(seen.filled * 100)} % of the room`)
          if (wide) {
            fs.mkdirSync(SHOTS, { recursive: true })
            await page.screenshot({ path: path.join(SHOTS, `people-${people}.png`) })
            assert.deepEqual(seen.cut, [], `${where}: tiles are cut or hidden`)
            // One or two people do not have to be as large as a wall.
            if (people > 2) assert.ok(seen.filled > 0.5, `${where}: the tiles take ${Math.round(seen.filled * 100)} % of the room`)
          }
          assert.deepEqual(seen.unreadable, [], `${where}: names that are neither whole nor told`)
          assert.equal(seen.sideways, 0, `${where}: nothing is scrolled sideways`)
        }
      })
    }
  })
})

test('of many people only those near what is in sight are drawn; scrolling and the keyboard reach all of them', { timeout: 120_000 }, async () => {
  await withBrowser(async (browser) => {
    await inCallOf(browser, 120, async (page) => {
      const drawn = () => page.evaluate(() => {
        const list = document.querySelector('[data-testid="participants"]')
        const room = list.getBoundingClientRect()
        const tiles = [...list.querySelectorAll('.tile')].map((tile) => {
          const { top, bottom } = tile.getBoundingClientRect()
          return { inSight: bottom > room.top && top < room.bottom, drawn: tile.firstElementChild.checkVisibility(), label: tile.getAttribute('aria-label') }
        })
        return { drawn: tiles.filter((tile) => tile.drawn).length, blank: tiles.filter((tile) => tile.inSight && !tile.drawn).length, unnamed: tiles.filter(({ label }) => !label).length }
      })
      const settled = (where) => until(`what is in sight is drawn (${where})`, async () => {
        const seen = await drawn()
        return (seen.blank === 0 && seen.drawn < 90) || new Miss(seen)
      })
      await settled('at the top')
      assert.equal((await drawn()).unnamed, 0, 'who is out of sight is still named for those who hear the page')
      for (const part of [0.5, 1]) {
        await page.evaluate((share) => { const list = document.querySelector('[data-testid="participants"]'); list.scrollTop = share * list.scrollHeight }, part)
        await settled(`at ${part} of the list`)
      }
      await page.evaluate(() => { document.querySelector('[data-testid="participants"]').scrollTop = 0 })
      await settled('at the top again')

      // The focus stays where it was when it is scrolled out of sight.
      await at(page, 'person-menu-person3').focus()
      await page.evaluate(() => { const list = document.querySelector('[data-testid="participants"]'); list.scrollTop = list.scrollHeight })
      await settled('away from the focus')
      await page.waitForTimeout(400)
      assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'person-menu-person3')
      await page.evaluate(() => { document.querySelector('[data-testid="participants"]').scrollTop = 0 })
      await settled('at the focus again')

      // From one to the next by the keyboard: nobody is left out.
      await at(page, 'participants').focus()
      const reached = []
      for (let step = 1; step < 120; step += 1) {
        await page.keyboard.press('Tab')
        // A key that is held down comes every 30 ms: two frames.
        reached.push(await page.evaluate(() => new Promise((resolve) => {
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(document.activeElement.dataset.testid)))
        })))
      }
      assert.deepEqual(reached, Array.from({ length: 119 }, (_, index) => `person-menu-person${index + 1}`))
    })
  })
})

test('the edges of what can be pressed or filled in are seen, in light and in dark', { timeout: 120_000 }, async () => {
  await withBrowser(async (browser) => {
    await inCallOf(browser, 4, async (page) => {
      await at(page, 'people-toggle').click()
      await at(page, 'people-search').waitFor()
      await edgesAreSeen(page, IN_CALL, 5, 'in a call')
    })
    await beforeCrowd(browser, { signedIn: false }, async (page) => {
      await at(page, 'login-id').waitFor()
      await edgesAreSeen(page, OUTSIDE, 4, 'signing in')
      await at(page, 'switch-sign-up').click()
      await at(page, 'new-email').waitFor()
      await edgesAreSeen(page, OUTSIDE, 5, 'signing up')
    })
    await beforeCrowd(browser, {}, async (page) => {
      for (const [opener, least] of Object.entries(DIALOGS)) {
        await at(page, opener).click()
        await page.locator('dialog[open] :is(input, button)').first().waitFor()
        await edgesAreSeen(page, `dialog[open] :is(${OUTSIDE})`, least, opener)
        await page.keyboard.press('Escape')
        await page.locator('dialog[open]').waitFor({ state: 'detached' })
      }
    })
  })
})

async function edgesAreSeen(page, selector, least, where) {
  const seen = await page.locator(selector).count()
  assert.ok(seen >= least, `${where}: ${seen} of at least ${least} controls were looked at`)
  for (const theme of ['light', 'dark']) {
    await page.evaluate((wanted) => { document.documentElement.dataset.theme = wanted }, theme)
    await page.waitForTimeout(300) // colours fade over
    assert.deepEqual(await page.evaluate(weakEdges, { wanted: EDGE, selector }), [], `${where}, ${theme}`)
  }
}

async function withBrowser(run) {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'sizes-'))
  const browser = await launchChromium(writeSilence(home))
  try {
    await run(browser)
  } finally {
    await browser.close()
    fs.rmSync(home, { recursive: true, force: true, maxRetries: 5 })
  }
}

async function inCallOf(browser, people, run) {
  await beforeCrowd(browser, { people }, async (page) => {
    await page.locator('[data-testid="join-call"], [data-testid="start-call"]').first().click()
    await page.locator(`[data-testid="participants"][data-count="${people}"]`).waitFor()
    await run(page)
  })
}

async function beforeCrowd(browser, server, run) {
  const crowd = await new Crowd({ dist: DIST, posts: 3, ...server }).open()
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, locale: 'en' })
  try {
    await context.addInitScript({ path: PEER })
    const page = await context.newPage()
    await page.goto(crowd.url)
    await run(page)
  } finally {
    await context.close()
    crowd.close()
  }
}

function at(page, testId) {
  return page.locator(`[data-testid="${testId}"]`).first()
}

/** In the page. */
function lookAtTiles() {
  const list = document.querySelector('[data-testid="participants"]')
  const room = list.getBoundingClientRect()
  const tiles = [...list.querySelectorAll('.tile')]
  const boxes = tiles.map((tile) => tile.getBoundingClientRect())
  const cut = tiles.filter((_, index) => {
    const { left, top, right, bottom } = boxes[index]
    return left < room.left - 1 || top < room.top - 1 || right > room.right + 1 || bottom > room.bottom + 1
  }).map(({ title }) => title)
  const unreadable = tiles.filter((tile) => {
    const words = tile.querySelector('.tile-words')
    const whole = words.scrollWidth <= words.clientWidth + 1 && words.scrollHeight <= words.clientHeight + 1
    return !whole && tile.title !== words.textContent
  }).map(({ title }) => title)
  const area = boxes.reduce((sum, { width, height }) => sum + width * height, 0)
  return {
    form: list.dataset.form, width: Math.round(boxes[0].width), height: Math.round(boxes[0].height), cut, unreadable,
    filled: area / (room.width * room.height), sideways: Math.max(0, document.documentElement.scrollWidth - innerWidth),
  }
}

/** In the page: controls with neither an edge nor a fill of `wanted` to one against what is around them. */
function weakEdges({ wanted, selector }) {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const read = (colour) => {
    canvas.clearRect(0, 0, 1, 1)
    canvas.fillStyle = colour
    canvas.fillRect(0, 0, 1, 1)
    return canvas.getImageData(0, 0, 1, 1).data
  }
  const linear = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4)
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a)
    return (light + 0.05) / (dark + 0.05)
  }
  const ground = (part) => {
    for (let at = part.parentElement; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor)
      if (colour[3] > 250) return colour
    }
    return [255, 255, 255, 255]
  }
  return [...document.querySelectorAll(selector)]
    .filter((part) => part.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !part.matches(':disabled, [aria-disabled="true"]'))
    .flatMap((part) => {
      // A field without an edge of its own is bounded by the box around it.
      const around = (at) => (at && at.tagName !== 'FORM' && getComputedStyle(at).borderTopWidth === '0px' ? around(at.parentElement) : at)
      const box = part.tagName === 'TEXTAREA' ? around(part) ?? part : part
      const style = getComputedStyle(box)
      const behind = ground(box)
      const edge = style.borderTopWidth === '0px' ? [0, 0, 0, 0] : read(style.borderTopColor)
      const fill = read(style.backgroundColor)
      const best = Math.max(edge[3] > 250 ? ratio(edge, behind) : 1, fill[3] > 250 ? ratio(fill, behind) : 1)
      return best >= wanted ? [] : [`${part.dataset.testid ?? part.textContent}: ${best.toFixed(2)} to 1`]
    })
}
