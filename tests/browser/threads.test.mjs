// Followed threads: what is unread of them is seen, read, marked again, and ends with the following.

import assert from 'node:assert/strict'

import { faults } from './harness/audit.mjs'
import { ask, post } from './harness/chat.mjs'
import { faultsOf, shoot } from './harness/layout.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]

story('threads', 'followed threads are listed with what is unread, and read, kept as unread or followed no longer', async (stage) => {
  const { accounts: [anna_, ben_] } = await stage.serve()
  const root = await post(stage.server, anna_, CHANNEL, 'who brings the cake?')
  const reply = (message) => ask(stage.server, ben_, 'POST', '/posts', { channel_id: root.channel_id, root_id: root.id, message })
  const anna = await stage.person(ANNA)
  const entry = anna.at('threads')
  const row = anna.at('thread')
  const says = (what, pattern) => until(`the list says ${what}`, async () => {
    const label = await entry.getAttribute('aria-label')
    return pattern.test(label) || new Miss(label)
  })

  // Nobody has answered; then somebody does, and names her.
  await entry.click()
  await anna.sees('no-threads')
  assert.equal(await entry.getAttribute('aria-current'), 'page')
  await reply('you, @anna, last year too')
  await reply('or me')
  await says('what is unread', /1 unread.*1 mention/)
  await row.waitFor()
  const words = await row.textContent()
  for (const part of ['who brings the cake?', 'Town Square', '2 replies', '2 new replies']) assert.ok(words.includes(part), `${part} in ${words}`)
  assert.match(await anna.at('thread-people').getAttribute('aria-label'), /Ben/)

  // Opened by the keyboard it is read, and what comes in sight stays read.
  await anna.at('thread-entry').focus()
  await anna.page.keyboard.press('Enter')
  await anna.sees('thread-panel')
  await says('that all is read', /^Threads$/)
  await reply('cake it is')
  await anna.at('thread-posts').getByText('cake it is').waitFor()
  await until('it counts as read', async () => (await row.getAttribute('data-unread')) === '0' && (await row.textContent()).includes('3 replies'))
  assert.deepEqual(await faults(anna, 'threads'), [])

  // Kept as unread while it is open, by its head and by a message; opened anew it is read.
  await anna.at('thread-menu').click()
  await anna.at('thread-mark-unread').click()
  await says('that one is unread', /1 unread/)
  await anna.at('thread-posts').locator('[data-testid="post"]').nth(1).hover()
  await anna.at('thread-posts').locator('[data-testid="post-menu"]').nth(1).click()
  await anna.at('mark-unread').click()
  await until('all from the message on is unread', async () => (await row.getAttribute('data-unread')) === '3' || new Miss(await row.getAttribute('data-unread')))
  await anna.at('thread-posts').locator('[data-testid="unread-line"]').waitFor()
  await anna.at('close-thread').click()
  await anna.at('thread-entry').click()
  await says('that all is read', /^Threads$/)

  // No longer followed: it goes, and answers are not unread. By the message's menu it comes back.
  await anna.at('follow-thread').click()
  await row.waitFor({ state: 'detached' })
  await reply('one more')
  await anna.at('thread-posts').getByText('one more').waitFor()
  assert.equal(await entry.getAttribute('data-unread'), 'false')
  await anna.at('thread-channel').click()
  await anna.at('post-list').locator('[data-testid="post"]').hover()
  await anna.at('post-list').locator('[data-testid="post-menu"]').click()
  await anna.at('follow-message').click()

  // Answers in their threads only: the channel stays read, also after a reload of the list.
  await anna.at('profile').click()
  await anna.at('tab-look').click()
  await anna.at('threads-apart').check()
  await anna.page.keyboard.press('Escape')
  await entry.click()
  await row.waitFor()
  await reply('apart')
  await says('that one is unread', /1 unread/)
  await anna.page.reload()
  await row.waitFor()
  assert.equal(await anna.at(`channel-${CHANNEL}`).getAttribute('data-unread'), 'false')
  assert.equal(await row.getAttribute('data-unread'), '1')

  // On a narrow screen the list, then the thread, each by itself.
  await anna.page.setViewportSize({ width: 320, height: 640 })
  assert.deepEqual(await faultsOf(anna), [])
  await shoot(anna, 'threads-phone')
  await anna.at('thread-entry').click()
  await anna.sees('thread-channel')
  assert.deepEqual(await faultsOf(anna), [])
  assert.deepEqual(await faults(anna, 'a thread on a phone'), [])
  await shoot(anna, 'thread-phone')
  await anna.at('close-thread').click()
  await anna.at('threads-only-unread').check()
  await anna.sees('no-threads')
  await anna.at('all-channels').click()
  await says('that all is read', /^Threads$/)
  assert.deepEqual(await faultsOf(anna), [])
  assert.deepEqual(anna.troubles, [])
})

/** As many as the page asks for at the start. */
const LISTED = 60

story('threads_in_sight', 'of many followed threads, one that the list does not reach is known to be followed once it is in sight', async (stage) => {
  const { accounts: [anna_, ben_] } = await stage.serve()
  const answer = (root, author) => ask(stage.server, author, 'POST', '/posts', { channel_id: root.channel_id, root_id: root.id, message: 'an answer' })
  const first = await post(stage.server, anna_, CHANNEL, 'her first question')
  const foreign = await post(stage.server, ben_, CHANNEL, 'not her question')
  const roots = await Promise.all(Array.from({ length: LISTED }, (_, number) => post(stage.server, anna_, CHANNEL, `question ${number}`)))
  // What was answered first is the last one of the list.
  await answer(first, ben_)
  await answer(foreign, ben_)
  await Promise.all(roots.map((root) => answer(root, ben_)))
  await post(stage.server, ben_, CHANNEL, 'the newest')

  const asked = []
  const anna = await stage.person(ANNA)
  anna.page.on('request', (request) => asked.push(request.url()))
  await anna.page.reload()
  await anna.enter(CHANNEL)
  const asksFor = ({ id }) => asked.filter((url) => url.includes(`/threads/${id}`)).length
  const message = (root) => anna.page.locator(`[data-testid="post"][data-post-id="${root.id}"]`)
  await anna.sees('post-list')
  await anna.page.waitForTimeout(1000)
  assert.deepEqual([asksFor(first), asksFor(foreign)], [0, 0], 'not in sight')
  await until('the first messages are loaded', async () => {
    if ((await message(first).count()) > 0) return true
    await anna.at('earlier-messages').click({ timeout: 2000 }).catch(() => undefined)
    return false
  }, { ms: 40_000 })
  await message(first).scrollIntoViewIfNeeded()
  for (const root of [first, foreign]) await until('it is asked for by being in sight', () => asksFor(root) > 0 || new Miss(asked.length))
  const menuSays = async (root, words) => {
    await message(root).hover()
    await message(root).locator('[data-testid="post-menu"]').click()
    assert.equal(await anna.at('follow-message').textContent(), words)
    await anna.page.keyboard.press('Escape')
  }
  await menuSays(first, 'Stop following this thread')
  await menuSays(foreign, 'Follow this thread')
  assert.deepEqual([asksFor(first), asksFor(foreign)], [1, 1], 'each once')
  // Those of the list are known.
  assert.equal(asked.filter((url) => /\/threads\/[a-z0-9]{26}/.test(url)).length, 2)
  // That she does not follow one, the server says by not having it.
  assert.deepEqual(anna.troubles.filter((trouble) => !/status of 404/.test(trouble)), [])
})

story('threads_only', 'where the latest messages are all answers in a thread, its first message is shown all the same', async (stage) => {
  const { accounts: [anna_, ben_] } = await stage.serve()
  const root = await post(stage.server, anna_, CHANNEL, 'who brings the cake?')
  // More than the page asks for at once, twice.
  await Promise.all(Array.from({ length: 2 * LISTED + 5 }, () => ask(stage.server, ben_, 'POST', '/posts', { channel_id: root.channel_id, root_id: root.id, message: 'not me' })))
  const anna = await stage.person(ANNA)
  await anna.enter(CHANNEL)
  await anna.at('post-list').getByText('who brings the cake?').waitFor()
  assert.equal(await anna.at('post-list').locator('[data-testid="post"]').count(), 1)
})
