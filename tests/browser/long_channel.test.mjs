// A channel as years leave it, on the real server: whoever reads upwards in it is not torn from what they read.

import assert from 'node:assert/strict'

import { post, writeMany } from './harness/chat.mjs'
import { CHANNEL, story } from './harness/story.mjs'

const [ANNA, BEN] = [0, 1]
/** As many as are written in a quarter of a minute: ten thousand would take most of one. */
const MANY = 3_000
const WRITTEN_AT_ONCE = 16
/** Where the message stands that is searched for. */
const NEEDLE_AFTER = MANY / 2
const LOADS = 12
/** More than rounding to whole pixels makes, twice. */
const STILL_PX = 2
/** Far above what a load takes, far below what a list that grows with the channel would. */
const MOST_MS = 3_000
const USUAL_MS = 700

story('long_channel', 'three thousand messages are read upwards without a jump, in their middle as quickly as at their end', async (stage) => {
  const { accounts } = await stage.serve({ env: { SIGNALLING_CHAT_WRITES_PER_MINUTE: '0' } })
  const began = Date.now()
  await writeMany(stage.server, accounts[ANNA], CHANNEL, NEEDLE_AFTER, { atOnce: WRITTEN_AT_ONCE })
  await post(stage.server, accounts[ANNA], CHANNEL, 'the needle')
  await writeMany(stage.server, accounts[ANNA], CHANNEL, MANY - NEEDLE_AFTER - 1, { atOnce: WRITTEN_AT_ONCE })
  stage.say(`${MANY} messages written in ${((Date.now() - began) / 1000).toFixed(1)} s`)

  const ben = await stage.person(BEN)
  await ben.page.locator('[data-testid="post"]').last().waitFor()
  await climbs(stage, ben, 'at the end')

  await ben.page.keyboard.press('Control+k')
  await ben.at('search-terms').fill('needle')
  await ben.at('search-result').click()
  await ben.page.locator('.post-frame[data-found="true"]').getByText('the needle').waitFor()
  await climbs(stage, ben, 'in the middle')
  assert.deepEqual(ben.troubles, [])
})

/** Up by several loads: what is read stays where it is in every frame, and nothing takes long. */
async function climbs(stage, person, where) {
  const loads = []
  for (let number = 1; number <= LOADS; number += 1) loads.push(await person.at('post-list').evaluate(climb))
  const times = loads.map(({ ms }) => ms).sort((a, b) => a - b)
  const [usual, most] = [times[times.length / 2], times.at(-1)]
  const moved = Math.max(...loads.map(({ moved: px }) => px))
  stage.say(`${where}: ${LOADS} loads, ${loads.filter(({ asked }) => asked).length} of them asked the server; median ${Math.round(usual)} ms, longest ${Math.round(most)} ms; moved by ${moved.toFixed(1)} px at most, ${loads.at(-1).posts} messages in the page`)
  assert.ok(moved <= STILL_PX, `what was read jumped by ${loads.map(({ moved: px }) => px.toFixed(1)).join(', ')} px`)
  assert.ok(most <= MOST_MS && usual <= USUAL_MS, `a part took ${times.map(Math.round).join(', ')} ms`)
  assert.ok(loads.filter(({ asked }) => asked).length >= 3, 'the server was asked several times')
}

/** In the page: scrolls to near the upper edge, and looks in every frame where the message stands that is read there. */
function climb(list) {
  const posts = () => [...list.querySelectorAll('[data-testid="post"]')]
  const edge = list.getBoundingClientRect().top
  const first = posts()[0].dataset.postId
  const requests = () => performance.getEntriesByType('resource').filter(({ name }) => name.includes('before=')).length
  performance.setResourceTimingBufferSize(10_000)
  const asked = requests()
  list.scrollTop = 150
  const read = posts().find((one) => one.getBoundingClientRect().bottom > edge + 40).dataset.postId
  // Its words: the name above them goes when an earlier message of the same person comes before it.
  const words = () => list.querySelector(`[data-post-id="${read}"] .grow > :not(.byline)`)
  const top = () => words().getBoundingClientRect().top
  const [stood, began] = [top(), performance.now()]
  return new Promise((resolve, reject) => {
    let [moved, ms] = [0, 0]
    const look = () => {
      const now = performance.now()
      moved = Math.max(moved, Math.abs(top() - stood))
      if (ms === 0 && posts()[0].dataset.postId !== first) ms = now - began
      if (ms > 0 && now > began + ms + 150) resolve({ ms, moved, asked: requests() > asked, posts: posts().length })
      else if (now > began + 15_000) reject(new Error('no earlier message came within 15 s'))
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
}
