// The administrator's page, the own account, and the first account of a fresh server.

import assert from 'node:assert/strict'
import fs from 'node:fs'

import { faults } from './harness/audit.mjs'
import { ask, post } from './harness/chat.mjs'
import { Person } from './harness/person.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const OLD = 'a long pass phrase 7'
const NEXT = 'another long phrase 9'

story('administration', 'an administrator makes accounts, changes rights, ends sign-ins, and sees all channels, calls and what is kept', async (stage) => {
  await stage.serve()
  const [, ben_, carla_] = stage.server.accounts
  const anna = await stage.person(ANNA) // the administrator
  const ben = await stage.person(BEN)
  assert.equal(await ben.at('administration').count(), 0, 'nobody else is offered it')

  // An account by the form; its password signs in.
  await anna.at('administration').click()
  await anna.at('tab-new-people').click()
  await anna.at('account-username').fill('dora')
  await anna.at('account-first_name').fill('Dora')
  const password = await anna.at('account-password').inputValue()
  await anna.at('create-account').click()
  await anna.sees('made-dora')
  const dora = await Person.open(stage.server.url, { username: 'dora', password })
  stage.people.push(dora)
  await dora.signIn()
  await dora.sees('composer')

  // Rights are given and taken; the last administrator keeps them.
  await anna.at('tab-people').click()
  await act(anna, 'dora', 'toggle-admin')
  await anna.sees('admin-dora')
  await act(anna, 'dora', 'toggle-admin')
  await anna.at('admin-dora').waitFor({ state: 'detached' })
  await act(anna, anna.username, 'toggle-admin')
  await anna.page.locator('.refusal', { hasText: 'last administrator' }).waitFor()

  // A new password is told once and ends what was signed in with the old one.
  await dora.page.reload()
  if (await either(dora, 'login-id', 'composer') === 'login-id') await dora.signIn()
  await dora.sees('composer')
  await act(anna, 'dora', 'reset-password')
  const told = await until('the new password is told', async () => (/: ([a-z0-9]{20})$/.exec(await anna.at('admin-done').textContent())?.[1]) ?? new Miss(await anna.at('admin-done').textContent()))
  await dora.sees('login-id', { ms: 5_000 })
  await dora.signIn()
  await dora.page.locator('.refusal', { hasText: /./ }).waitFor()
  dora.account = { username: 'dora', password: told }
  await dora.signIn()
  await dora.sees('composer')
  // Where she is signed in is listed; one of them is ended, then all.
  await act(anna, 'dora', 'show-sign-ins')
  assert.match(await anna.at('sign-in-of').textContent(), /Signed in .*Chrome, Linux, until /)
  assert.deepEqual(await faults(anna, 'sign-ins of somebody'), [])
  await anna.at('sign-in-of').locator('button').click()
  await dora.sees('login-id', { ms: 5_000 })
  await anna.sees('sign-in-of-none')
  await anna.page.keyboard.press('Escape')
  await anna.at('sign-ins-dialog').waitFor({ state: 'detached' })
  await dora.signIn()
  await dora.sees('composer')
  await act(anna, 'dora', 'end-sign-ins')
  await dora.sees('login-id', { ms: 5_000 })

  // Channels of others, private ones too: found, archived, opened again; nothing of the own view moves.
  const [team] = await ask(stage.server, ben_, 'GET', '/users/me/teams')
  const secret = await ask(stage.server, ben_, 'POST', '/channels', { team_id: team.id, name: 'ben-alone', display_name: 'Ben alone', type: 'P' })
  await post(stage.server, ben_, 'ben-alone', 'to myself')
  await ben.enter('ben-alone')
  await anna.at('tab-channels').click()
  await anna.at('find-channel').fill('ben')
  const row = anna.at('admin-channel-ben-alone')
  await row.waitFor()
  await until('only what was searched for is shown', async () => (await anna.page.locator('[data-testid^="admin-channel-"]').count()) === 1)
  assert.ok((await row.textContent()).includes('1 message'))
  await row.locator('[data-testid="admin-archive"]').click()
  await row.locator('[data-testid="admin-archive"]').click()
  await ben.sees('channel-ben-alone', { shown: false })
  await row.locator('[data-testid="reopen-channel"]').click()
  await row.locator('[data-testid="admin-archive"]').waitFor()
  assert.equal(await anna.page.locator('[aria-current="page"]').getAttribute('data-testid'), `channel-${CHANNEL}`)
  assert.equal((await ask(stage.server, ben_, 'GET', `/channels/${secret.id}`)).delete_at, 0)

  // Calls that run, wherever: ended by the administrator; of a direct one nobody is told whose it is.
  await ben.page.reload()
  await ben.enter('ben-alone')
  await ben.startCall()
  await anna.at('tab-calls').click()
  await until('the call is listed by its channel', async () => (await anna.page.locator('[data-testid="admin-call"]', { hasText: 'Ben alone' }).count()) === 1)
  await anna.at('admin-end-call').click()
  await anna.at('admin-end-call').click()
  await ben.sees('call-ending')
  await until('no call runs', async () => (await anna.page.locator('[data-testid="admin-call"]').count()) === 0)
  await ben.writeTo(carla_.username)
  await ben.startCall()
  const call = anna.page.locator('[data-testid="admin-call"][data-people="1"]')
  await call.waitFor()
  assert.ok((await call.textContent()).startsWith('Direct or group message'), await call.textContent())
  assert.equal(await call.locator('button').count(), 0, 'nor can it be ended')

  // Health, and what is kept.
  await anna.at('tab-health').click()
  await anna.page.locator('[data-testid="health"][data-ready="true"]').waitFor()
  assert.match(await anna.at('health').textContent(), /1 of 1 connected/)
  const storage = await anna.at('storage').textContent()
  assert.match(storage, /4 accounts/)
  assert.match(storage, /\d GB free|\d MB free/)

  // The nodes: there are none beside this server.
  await anna.at('tab-nodes').click()
  await anna.page.locator('[data-testid="nodes"][data-sight="alone"]').waitFor()
  assert.match(await anna.at('nodes-sight').textContent(), /on its own.*cluster\.papers/)
  assert.equal(await anna.at('nodes').locator('table').count(), 0)
  assert.deepEqual(await faults(anna, 'a server on its own'), [])
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles).filter((text) => !/status of 400/.test(text)), [])
})

story('own_account', 'a person changes the own password and status, sees where one is signed in, and ends it there', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  await anna.writeTo(ben.username)

  // The status that one chooses is seen by the others.
  const seen = (status) => until(`anna sees that ben is ${status}`, async () => {
    const shown = await anna.at(`channel-${ben.username}`).locator('[data-testid="presence"]').getAttribute('data-status')
    return shown === status || new Miss(shown)
  }, { ms: 40_000 })
  await seen('online')
  await ben.at('profile').click()
  await ben.at('my-status').selectOption('dnd')
  await seen('dnd')

  // Somewhere else as well: seen, and ended from here.
  const tablet = await stage.person(BEN)
  await ben.at('tab-sign-ins').click()
  await until('two sign-ins are listed', async () => (await ben.page.locator('[data-testid="my-sign-in"]').count()) === 2)
  await ben.page.locator('[data-testid="my-sign-in"] button').first().click() // the newest
  await tablet.sees('login-id', { ms: 5_000 })
  await until('one is left', async () => (await ben.page.locator('[data-testid="my-sign-in"]').count()) === 1)

  // The password: the present one is asked for, a weak one is refused in words, the new one signs in.
  await ben.at('tab-password').click()
  await ben.at('current-password').fill('not mine at all')
  await ben.at('next-password').fill(NEXT)
  await ben.at('save-password').click()
  await ben.page.locator('[role="tabpanel"] .refusal', { hasText: /\w/ }).waitFor()
  await ben.at('current-password').fill(ben.account.password)
  await ben.at('next-password').fill('short')
  await ben.at('save-password').click()
  await ben.page.locator('[role="tabpanel"] .refusal', { hasText: /short|characters|longer/i }).waitFor()
  await ben.at('next-password').fill(NEXT)
  await ben.at('save-password').click()
  await until('it is changed', async () => (await ben.at('next-password').inputValue()) === '')
  await ben.at('profile').waitFor()
  tablet.account = { username: ben.username, password: NEXT }
  await tablet.signIn()
  await tablet.sees('composer')
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles).filter((text) => !/status of 40[013]/.test(text)), [])
})

story('first_account', 'the first account of a fresh server is made with the token that the server printed', async (stage) => {
  const server = await stage.serve({ samples: false })
  const token = await until('the server prints the token', () => /one-time token (\S+)/.exec(fs.readFileSync(server.log, 'utf8'))?.[1] ?? new Miss(server.tail(5)))
  const olga = await Person.open(server.url, { username: 'olga', password: OLD })
  stage.people.push(olga)
  await olga.sees('first-account-token')
  await olga.at('first-account-token').fill('not the token')
  await olga.at('new-username').fill('olga')
  await olga.at('new-email').fill('olga@example.org')
  await olga.at('new-password').fill(OLD)
  await olga.at('sign-up').click()
  await olga.page.locator('.refusal', { hasText: /token/i }).waitFor()
  await olga.at('first-account-token').fill(token)
  await olga.at('sign-up').click()
  if (await either(olga, 'team-name', 'composer') === 'team-name') {
    await olga.at('team-name').fill('Our team')
    await olga.at('create-team').click()
  }
  await olga.sees('composer')
  await olga.sees('administration')
  await olga.at('composer').fill('first words')
  await olga.page.keyboard.press('Enter')
  await olga.page.locator('[data-testid="post"]', { hasText: 'first words' }).waitFor()

  // It was for one.
  const eve = await Person.open(server.url, { username: 'eve', password: OLD })
  stage.people.push(eve)
  await eve.sees('login-id')
  assert.equal(await eve.at('first-account-token').count(), 0)
  assert.deepEqual(olga.troubles.filter((text) => !/status of 403/.test(text)), [])
})

async function act(person, on, what) {
  await person.at('find-account').fill(on)
  await person.at(`account-${on}`).click()
  await person.at(what).click()
}

/** Which of two is shown first. */
async function either(person, one, other) {
  await person.page.locator(`[data-testid="${one}"], [data-testid="${other}"]`).first().waitFor()
  return (await person.at(one).isVisible()) ? one : other
}
