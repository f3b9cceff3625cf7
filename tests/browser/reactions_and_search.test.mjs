// Messages are answered with emoji and found again: what one does, the other sees, with names.

import assert from 'node:assert/strict'

import { ask, post, writeMany } from './harness/chat.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]

story('reactions', 'a message is answered with emoji, by two people, with their names, and taken back', async (stage) => {
  await stage.serve()
  const written = await post(stage.server, stage.server.accounts[ANNA], CHANNEL, 'Cake in the kitchen')
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  const chip = (person, name) => person.page.locator(`[data-post-id="${written.id}"] [data-testid="reaction-${name}"]`)
  const counted = (person, name, count) => until(`${person.username} sees ${count} of ${name}`, async () => {
    // In one look: between two of them it may be gone.
    const shown = await chip(person, name).evaluateAll(([found]) => found?.dataset.count ?? '0')
    return shown === String(count) ? true : new Miss(shown)
  })

  // By the picker, by the keyboard alone.
  await ben.at('add-reaction').focus()
  await ben.page.keyboard.press('Enter')
  await ben.sees('find-emoji')
  await until('one can write at once', () => ben.page.evaluate(() => document.activeElement.dataset.testid === 'find-emoji'))
  await ben.page.keyboard.type('birth')
  await ben.page.keyboard.press('Enter')
  await counted(anna, 'birthday', 1)
  await until('the focus is back at the button', () => ben.page.evaluate(() => document.activeElement.dataset.testid === 'add-reaction'))

  // The same by a click on it; who is told by name.
  await chip(anna, 'birthday').click()
  await counted(ben, 'birthday', 2)
  const names = await chip(ben, 'birthday').getAttribute('title')
  assert.ok(/ben/i.test(names) && /anna/i.test(names), names)
  assert.equal(await chip(ben, 'birthday').getAttribute('aria-pressed'), 'true')
  await chip(ben, 'birthday').click()
  await counted(anna, 'birthday', 1)
  await anna.page.reload()
  await counted(anna, 'birthday', 1)
  await chip(anna, 'birthday').click()
  await counted(ben, 'birthday', 0)
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles), [])
})

story('search', 'a message is found by its words and gone to, with what was written around it, and back to now', async (stage) => {
  await stage.serve({ env: { SIGNALLING_CHAT_WRITES_PER_MINUTE: '0' } })
  const [anna_, ben_] = stage.server.accounts
  await writeMany(stage.server, anna_, CHANNEL, 150)
  const needle = await post(stage.server, ben_, CHANNEL, 'The **marmalade** is in the cupboard')
  const reply = await ask(stage.server, anna_, 'POST', '/posts', { channel_id: needle.channel_id, root_id: needle.id, message: 'which cupboard, marmalade lover?' })
  await writeMany(stage.server, anna_, CHANNEL, 260)
  const ben = await stage.person(BEN)
  await ben.page.locator('[data-testid="post"]').last().getByText('message 260').waitFor()
  // A reply far below brings its first message along: what lies between the two is still loaded in order.
  await ask(stage.server, anna_, 'POST', '/posts', { channel_id: needle.channel_id, root_id: needle.id, message: 'found it' })

  await ben.page.keyboard.press('Control+k')
  await ben.sees('search-dialog')
  await ben.page.keyboard.type('marmal')
  await until('two messages are found', async () => (await ben.page.locator('[data-testid="search-result"]').count()) === 2)
  assert.ok((await ben.at('search-count').textContent()).includes('2'))
  assert.equal((await ben.page.locator('[data-testid="search-result"] mark').first().textContent()).toLowerCase(), 'marmal')

  // By the keyboard to the older one: it stands in sight, marked, with its neighbours.
  await ben.page.keyboard.press('ArrowDown')
  await ben.page.keyboard.press('ArrowDown')
  await ben.page.keyboard.press('Enter')
  const mark = ben.page.locator('.post-frame[data-found="true"]')
  await mark.getByText('cupboard').first().waitFor()
  const inSight = (locator) => locator.evaluate((element) => {
    const box = element.getBoundingClientRect()
    const list = element.closest('[role="log"]').getBoundingClientRect()
    return box.top >= list.top && box.bottom <= list.bottom
  })
  assert.ok(await inSight(mark))
  assert.equal(await ben.page.evaluate(() => document.activeElement.dataset.postId), needle.id, 'it has the focus')
  const shown = await ben.at('post-list').locator('[data-testid="post"]').allTextContents()
  const place = shown.findIndex((text) => text.includes('cupboard'))
  assert.ok(shown[place - 1].includes('message 150'), shown[place - 1])
  assert.ok(shown[place + 1].includes('message 1 ') || shown[place + 1].includes('message 1'), shown[place + 1])

  // On from there without a hole, until what is written now; new messages wait at their place.
  await post(stage.server, anna_, CHANNEL, 'written meanwhile')
  await ben.page.waitForTimeout(400)
  assert.equal(await ben.page.getByText('written meanwhile').count(), 0)
  const numbers = new Set()
  await until('the newest message is reached', async () => {
    const texts = await ben.at('post-list').locator('[data-testid="post"] .text').allTextContents()
    texts.forEach((text) => numbers.add(/^message (\d+) /.exec(text)?.[1] ?? text))
    await ben.at('post-list').evaluate((element) => { element.scrollTop = element.scrollHeight })
    return texts.at(-1) === 'written meanwhile' ? true : new Miss(texts.at(-1))
  }, { ms: 30_000 })
  const missing = Array.from({ length: 260 }, (_, index) => String(index + 1)).filter((number) => !numbers.has(number))
  assert.deepEqual(missing, [], 'every message after it was shown')

  // A reply is found in its thread; by the button one is back at once.
  await ben.at('search').click()
  await ben.at('search-terms').fill(`"which cupboard" from:${anna_.username}`)
  await ben.page.locator(`[data-testid="search-result"][data-post-id="${reply.id}"]`).click()
  await ben.sees('thread-panel')
  await ben.page.locator(`[data-testid="thread-posts"] .post-frame[data-found="true"] [data-post-id="${reply.id}"]`).waitFor()
  await ben.at('close-thread').click()
  if (await ben.at('to-newest').isVisible()) await ben.at('to-newest').click()
  await ben.page.getByText('written meanwhile').waitFor()

  // What nobody wrote is not found, and is said.
  await ben.page.keyboard.press('Control+k')
  await ben.at('search-terms').fill('zebra')
  await until('nothing is found', async () => (await ben.at('search-count').textContent()).startsWith('0'))
  await ben.at('search-terms').fill('on:yesterday')
  await ben.at('search-dialog').locator('.refusal', { hasText: 'a day as in on:2026-12-31' }).waitFor()
  assert.deepEqual(ben.troubles.filter((said) => !/status of 400/.test(said)), [], 'the browser notes the refused search')
})
