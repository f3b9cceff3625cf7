// Commands: what begins with `/` is carried out, answered to its writer alone, and never published.

import assert from 'node:assert/strict'

import { CHANNEL, story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]

story('commands', 'commands of calls are offered while one types, carried out, and seen by nobody else', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  const say = async (person, text) => {
    await person.at('composer').fill(text)
    await person.page.keyboard.press('Enter')
    await until(`the field is empty after ${text}`, async () => (await person.at('composer').inputValue()) === '')
  }
  const refused = async (person, text, words) => {
    await person.at('composer').fill(text)
    await person.page.keyboard.press('Enter')
    await person.page.locator('.notice', { hasText: words }).waitFor()
    assert.equal(await person.at('composer').inputValue(), text, 'what was refused stays to be changed')
    await person.at('composer').fill('')
  }
  const messages = (person) => person.page.locator('[data-testid="post"][data-post-type=""]').count()

  // Offered while one types, and taken by the keyboard.
  await refused(ben, '/call leave', 'not in a call')
  await refused(ben, '/call end', 'No call is running')
  await refused(ben, '/walk the dog', '/walk')
  await ben.at('composer').pressSequentially('/ca')
  await ben.sees('suggestion-call')
  await ben.page.keyboard.press('Enter')
  assert.equal(await ben.at('composer').inputValue(), '/call ')
  await ben.sees('suggestion-start')
  await ben.at('composer').pressSequentially('sta')
  await until('two commands begin so', async () => (await ben.page.locator('[role="option"]').count()) === 2)
  await ben.page.keyboard.press('Enter')
  assert.equal(await ben.at('composer').inputValue(), '/call start ')
  await ben.at('composer').pressSequentially('Weekly')
  await ben.page.keyboard.press('Enter')
  await ben.sees('leave-call')
  await anna.sees('join-call')
  await refused(ben, '/call start', 'running here already')

  // Joined and left; anna, an administrator, is asked before the call ends for everybody.
  await say(anna, '/call join')
  await anna.sees('leave-call')
  await anna.seesParticipant('ben')
  await say(anna, '/call stats')
  const answer = anna.page.locator('[data-testid="post"][data-post-type="system_ephemeral"]').last()
  await answer.locator('code', { hasText: '"state"' }).waitFor()
  assert.equal(await answer.getByTestId('only-you').count(), 1)
  await say(anna, '/call link')
  await anna.page.locator('[data-post-type="system_ephemeral"]', { hasText: '?join_call=true' }).waitFor()
  await say(anna, '/call recording now')
  await anna.page.locator('[data-post-type="system_ephemeral"]', { hasText: 'needs something else' }).waitFor()
  await say(anna, '/call leave')
  await anna.sees('join-call')
  assert.ok(await anna.page.evaluate(() => document.activeElement.dataset.testid === 'composer'), 'the focus is at the field')
  await say(ben, '/call host @anna')
  await say(anna, '/call end')
  await anna.page.locator('[data-testid="question"][data-kind="end-call"]').waitFor()
  await anna.at('question-yes').click()
  await ben.sees('call-ending')

  // An answer can be put away, and after a reload nobody has it; the others never had anything.
  const before = await anna.page.locator('[data-post-type="system_ephemeral"]').count()
  await answer.hover()
  await answer.getByTestId('post-menu').click()
  await anna.at('dismiss-post').click()
  await until('the answer is put away', async () => (await anna.page.locator('[data-post-type="system_ephemeral"]').count()) === before - 1)
  assert.equal(await messages(anna), 0)
  assert.equal(await ben.page.getByText('join_call=true').count(), 0)
  await anna.page.reload()
  await anna.sees(`channel-${CHANNEL}`)
  await anna.page.locator('[data-testid="call-post"]').first().waitFor()
  await until('answers are gone after a reload', async () => {
    const left = await anna.page.locator('[data-post-type="system_ephemeral"]').count()
    return left === 0 ? true : new Miss(`${left} answers`)
  })
})
