// Somebody is let in: an administrator's link makes an account once, in its team, and is over then.

import assert from 'node:assert/strict'

import { ask } from './harness/chat.mjs'
import { Person } from './harness/person.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { until } from './harness/until.mjs'

const [ANNA, BEN] = [0, 1]
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64')

story('invitation', 'a link lets one person in, says so when it is over, and a picture is seen by others', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA) // the administrator
  const ben = await stage.person(BEN)
  assert.equal(await ben.at('invite').count(), 0, 'who does not manage the team invites nobody')

  await anna.at('invite').click()
  await anna.at('invite-uses').selectOption('1')
  await anna.at('make-invite').click()
  const link = await anna.at('invite-link').inputValue()
  assert.ok(link.startsWith(`${stage.server.url}/signup_user_complete/?id=`), link)
  await anna.sees('open-invite')

  // Who opens it makes an account and can write in the team's channel.
  const eve = await Person.open(link, { username: 'eve', password: 'a long pass phrase 7' })
  stage.people.push(eve)
  await eve.sees('invited')
  await eve.at('new-username').fill('eve')
  await eve.at('new-email').fill('eve@example.org')
  await eve.at('new-password').fill(eve.account.password)
  await eve.at('sign-up').click()
  await eve.sees('composer')
  assert.match(await eve.page.evaluate(() => location.pathname + location.hash), /^\/#\/channels\//)
  await eve.at('composer').fill('hello, I am new')
  await eve.page.keyboard.press('Enter')
  await anna.page.locator('[data-testid="post"]', { hasText: 'I am new' }).waitFor()

  // It was for one: the next one is told, and can still sign in.
  const frank = await Person.open(link, { username: 'frank', password: 'a long pass phrase 8' })
  stage.people.push(frank)
  await frank.page.locator('.notice', { hasText: 'no longer good' }).waitFor()
  await frank.sees('login-id')
  await ben.page.goto(link)
  await ben.page.locator('.notice', { hasText: 'no longer good' }).waitFor()
  await ben.sees(`channel-${CHANNEL}`)

  // A link that was withdrawn is over as well.
  await anna.at('invite-uses').selectOption('0')
  await anna.at('make-invite').click()
  await until('another link is there', async () => (await anna.at('invite-link').inputValue()) !== link)
  const second = await anna.at('invite-link').inputValue()
  await anna.page.locator('[data-testid="open-invite"]').waitFor()
  await anna.at('withdraw-invite').click()
  await anna.page.locator('[data-testid="open-invite"]').waitFor({ state: 'detached' })
  await frank.page.goto(second)
  await frank.page.locator('.notice', { hasText: 'no longer good' }).waitFor()
  await anna.page.keyboard.press('Escape')

  // A picture of one's own, whatever its size; it can be taken away again.
  await eve.at('profile').click()
  await eve.at('my-picture').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: PNG })
  await eve.sees('remove-picture')
  await until("anna sees eve's picture", () => anna.page.evaluate(() => {
    const image = [...document.querySelectorAll('[data-testid="post"]')].at(-1).querySelector('img.avatar')
    return image?.complete && image.naturalWidth === 256
  }))
  await eve.at('my-picture').setInputFiles({ name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
  await eve.page.locator('.my-picture .refusal', { hasText: 'no picture' }).waitFor()
  await eve.at('remove-picture').click()
  await until('anna sees initials again', () => anna.page.evaluate(() => [...document.querySelectorAll('[data-testid="post"]')].at(-1).querySelector('span.avatar') !== null))
  assert.deepEqual([anna, eve].flatMap(({ troubles }) => troubles), [])
})

story('invitation_over', 'a link that ran out says so, to whoever opens it and to whoever had it open', async (stage) => {
  await stage.serve()
  const [anna_] = stage.server.accounts
  const eve = await Person.open(stage.server.url, { username: 'eve', password: 'a long pass phrase 7' })
  stage.people.push(eve)
  const [team] = await ask(stage.server, anna_, 'GET', '/users/me/teams')
  const made = await ask(stage.server, anna_, 'POST', `/teams/${team.id}/invites`, { expires_in_seconds: 8, max_uses: 0 })
  const link = new URL(made.url, stage.server.url)
  await eve.page.goto(link.href)
  await eve.sees('invited')
  await eve.at('new-username').fill('eve')
  await eve.at('new-email').fill('eve@example.org')
  await eve.at('new-password').fill(eve.account.password)
  const secret = link.searchParams.get('id')
  await until('the link has run out', async () => (await fetch(`${stage.server.url}/api/v4/teams/invite/${secret}`)).status !== 200)

  await eve.at('sign-up').click()
  await eve.page.locator('.refusal', { hasText: /no longer good.*Ask whoever sent it/ }).waitFor()
  await eve.page.goto(link.href)
  await eve.page.locator('.notice', { hasText: /ran out.*Ask whoever sent it/ }).waitFor()
  await eve.sees('login-id')
  const anna = await stage.person(ANNA)
  await anna.at('invite').click()
  await anna.sees('make-invite')
  assert.equal(await anna.at('open-invite').count(), 0, 'it is not listed as good')
  assert.deepEqual([anna, eve].flatMap(({ troubles }) => troubles).filter((text) => !/status of 40[04]/.test(text)), [])
})
