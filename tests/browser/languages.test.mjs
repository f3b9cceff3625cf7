// The page in other languages, one of them from right to left, and at the size of 400 %.

import assert from 'node:assert/strict'

import { ask } from './harness/chat.mjs'
import { faultsOf, shoot } from './harness/layout.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { until } from './harness/until.mjs'
import { englishIn, OTHERS } from './harness/words.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]

story('languages', 'the page speaks the language of the browser or the one that was chosen, from right to left as well', async (stage) => {
  await stage.serve()
  const ben = stage.server.accounts[BEN]
  await ask(stage.server, ben, 'PUT', '/users/me/patch', { nickname: 'יעל כהן-אבוטבול מתל אביב' })

  const anna = await stage.stranger(ANNA, { locale: 'de-AT', viewport: { width: 1280, height: 800 } })
  await anna.sees('sign-in')
  const document = () => anna.page.evaluate(() => [window.document.documentElement.lang, window.document.documentElement.dir])
  assert.deepEqual(await document(), ['de', 'ltr'])
  assert.equal(await anna.at('sign-in').textContent(), 'Anmelden')

  await anna.at('language').selectOption('ar')
  await until('the page is Arabic', async () => (await document()).join() === 'ar,rtl')
  assert.equal(await anna.at('sign-in').textContent(), 'تسجيل الدخول')
  await shoot(anna, 'languages-ar-sign-in')
  assert.deepEqual(await faultsOf(anna), [])
  await anna.signIn()
  await anna.enter(CHANNEL)
  await anna.at('composer').fill('An **English** message, then ערב טוב')
  await anna.at('composer-send').click()
  await anna.page.locator('[data-testid="post"] strong', { hasText: 'English' }).waitFor()

  // The list of channels stands on the right, and nothing covers anything.
  const at = async (selector) => (await anna.page.locator(selector).first().boundingBox()).x
  assert.ok(await at('.sidebar') > await at('.channel'), 'the list is on the right')
  assert.ok(await at('[data-testid="composer-send"]') < await at('[data-testid="composer-attach"]'), 'sending is on the left')
  // What the server itself writes for her is in it, too: the language belongs to the profile.
  const locale = async () => (await ask(stage.server, stage.server.accounts[ANNA], 'GET', '/users/me')).locale
  await until('the profile says it', async () => (await locale()) === 'ar')
  await anna.at('composer').fill('/call stats e30=')
  await anna.at('composer').press('Enter')
  await anna.page.locator('[data-testid="post"]', { hasText: 'لا توجد قياسات' }).waitFor()
  await shoot(anna, 'languages-ar-channel')
  assert.deepEqual(await faultsOf(anna), [])
  for (const [opener, name] of [['channel-info', 'members'], ['profile', 'profile'], ['administration', 'administration']]) {
    await anna.at(opener).click()
    await anna.page.waitForTimeout(300)
    await shoot(anna, `languages-ar-${name}`)
    assert.deepEqual(await faultsOf(anna), [], name)
    await anna.page.keyboard.press('Escape')
  }

  // Remembered; and changed while the page stands, without losing the place.
  await anna.page.reload()
  await anna.sees('composer')
  assert.deepEqual(await document(), ['ar', 'rtl'])
  await anna.at('profile').click()
  await anna.at('tab-look').click()
  await anna.at('language').focus()
  await anna.at('language').selectOption('pt-BR')
  await until('the page is Portuguese', async () => (await document()).join() === 'pt-BR,ltr')
  await until('so is the profile', async () => (await locale()) === 'pt-BR')
  assert.equal(await anna.page.evaluate(() => window.document.activeElement.dataset.testid), 'language')
  await anna.page.keyboard.press('Escape')
  assert.ok((await anna.at('composer').getAttribute('aria-label')).startsWith('Escrever para'))

  // Colours of choice, whatever the device wishes.
  const ground = () => anna.page.evaluate(() => getComputedStyle(window.document.body).backgroundColor)
  const light = await ground()
  await anna.at('profile').click()
  await anna.at('tab-look').click()
  await anna.at('theme').selectOption('dark')
  await until('the page is dark', async () => (await ground()) !== light)
  await anna.page.keyboard.press('Escape')

  // A name from right to left in a page from left to right begins at its own beginning.
  await anna.at('new-direct').click()
  await anna.at('person-ben').click()
  const entry = anna.page.locator('[data-testid="channel-ben"] .ellipsis')
  await entry.waitFor()
  assert.deepEqual(await entry.evaluate((name) => [getComputedStyle(name).direction, getComputedStyle(name).textAlign]), ['rtl', 'left'])
  await shoot(anna, 'languages-rtl-name')
  assert.deepEqual(await faultsOf(anna), [])
  assert.deepEqual(anna.troubles, [])
})

story('languages_call', 'in every language a call, its recording and what a host may do are said in that language', async (stage) => {
  await stage.serve()
  const ben = await stage.person(BEN, { viewport: { width: 1280, height: 800 } })
  await ben.startCall()
  const carla = await stage.person(CARLA, { viewport: { width: 390, height: 844 } })
  await carla.joinCall()
  const anna = await stage.person(ANNA)
  await anna.joinCall()
  await anna.raiseHand()
  assert.ok((await englishIn(ben, 'de')).includes('Leave'), 'English is found where it is')
  await ben.at('record-start').click()
  for (const person of [ben, carla]) await person.sees('recording-notice', { ms: 60_000 })

  for (const tag of OTHERS) {
    const inLanguage = async (person, name, { laidOut = true } = {}) => {
      await person.page.waitForTimeout(300)
      await shoot(person, `languages-${tag}-${name}`)
      assert.deepEqual(await englishIn(person, tag), [], `${tag} ${name}: English`)
      if (laidOut) assert.deepEqual(await faultsOf(person), [], `${tag} ${name}: layout`)
    }
    // What opens above the page may cover it.
    const above = { laidOut: false }
    await speak(ben, tag)
    await inLanguage(ben, 'call')
    await ben.at(`person-menu-${anna.username}`).click()
    await ben.sees('host-remove')
    await inLanguage(ben, 'host-menu', above)
    await ben.at('host-remove').click()
    await inLanguage(ben, 'remove', above)
    await ben.page.keyboard.press('Escape')
    await ben.at('end-call').click()
    await inLanguage(ben, 'end', above)
    await ben.page.keyboard.press('Escape')
    for (const [open, close] of [['open-people', 'close-people'], ['open-devices', 'close-dialog'], ['open-shortcuts', 'close-dialog']]) {
      await ben.at('call-more').click()
      await ben.at(open).click()
      await inLanguage(ben, open)
      await ben.at(close).click()
    }

    await carla.page.evaluate((language) => localStorage.setItem('parley.language', language), tag)
    await carla.page.reload()
    await carla.page.locator('[data-testid="connection-status"][data-state="connected"]').waitFor()
    await carla.sees('recording-notice')
    await inLanguage(carla, 'phone')
    await carla.at('people-toggle').click()
    await inLanguage(carla, 'phone-people')
    await carla.at('close-people').click()
  }
  assert.deepEqual([...anna.troubles, ...ben.troubles, ...carla.troubles], [])
})

async function speak(person, tag) {
  await person.at('profile').click()
  await person.at('tab-look').click()
  await person.at('language').selectOption(tag)
  await until(`the page is ${tag}`, () => person.page.evaluate((language) => document.documentElement.lang === language, tag))
  await person.page.keyboard.press('Escape')
}

story('reflow', 'at 400 % everything is there and nothing is beside the page', async (stage) => {
  await stage.serve()
  const anna = await stage.stranger(ANNA, { viewport: { width: 320, height: 256 } })
  await anna.sees('sign-in')
  assert.deepEqual(await faultsOf(anna), [])
  await anna.signIn()
  await anna.enter(CHANNEL)
  await anna.at('composer').fill('hello')
  await anna.page.keyboard.press('Enter')
  await anna.page.locator('[data-testid="post"]', { hasText: 'hello' }).waitFor()
  await shoot(anna, 'reflow-channel')
  assert.deepEqual(await faultsOf(anna), [])
  const list = await anna.at('post-list').boundingBox()
  const field = await anna.at('composer').boundingBox()
  assert.ok(list.height >= 60, `the messages have ${list.height} px`)
  assert.ok(field.y + field.height <= 256, 'the field is in sight')
  await anna.at('channel-info').click()
  await anna.page.waitForTimeout(300)
  await shoot(anna, 'reflow-members')
  assert.deepEqual(await faultsOf(anna), [])
  await anna.page.keyboard.press('Escape')
  await anna.at('all-channels').click()
  await shoot(anna, 'reflow-list')
  assert.deepEqual(await faultsOf(anna), [])
  assert.ok(await anna.page.evaluate(() => document.activeElement.tagName !== 'BODY'), 'the focus is somewhere')
})
