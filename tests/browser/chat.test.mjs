// Chat beside a call: what one person writes, changes, takes back and attaches, another one sees.

import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'

import { post, writeMany } from './harness/chat.mjs'
import { CHANNEL, story } from './harness/story.mjs'
import { Miss, until } from './harness/until.mjs'

const [ANNA, BEN, CARLA] = [0, 1, 2]
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64')

story('chat', 'messages are Markdown, are edited, deleted and read; files and mentions reach the other', async (stage) => {
  await stage.serve()
  const anna = await stage.stranger(ANNA)
  await anna.signIn()
  const ben = await stage.person(BEN)
  const newest = (person) => person.page.locator('[data-testid="post"]').last()

  // Signed in: the person can write at once.
  await until('the field to write in has the focus', () => anna.page.evaluate(() => document.activeElement?.dataset.testid === 'composer'))

  // Writing is seen while it happens, and what comes is Markdown without anybody's HTML.
  await anna.at('composer').pressSequentially('**bold** and ')
  await until("ben sees that anna writes", async () => (await ben.at('typing').textContent()).includes('Anna'))
  await anna.at('composer').pressSequentially('hello @be')
  await anna.sees('suggestion-ben')
  const chosen = await anna.at('composer').evaluate(async (field) => {
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }))
    await Promise.resolve()
    document.execCommand('insertText', false, ':') // who types fast does not wait for the next picture
    await new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)) })
    return { text: field.value, caret: field.selectionStart }
  })
  const mentioned = '**bold** and hello @ben :'
  assert.deepEqual(chosen, { text: mentioned, caret: mentioned.length })
  await anna.at('composer').pressSequentially('tada: <img src=x onerror="document.title=1"> [bad](javascript:alert(1)) <https://example.org/>')
  await anna.page.keyboard.press('Enter')
  await newest(ben).locator('strong', { hasText: 'bold' }).waitFor()
  assert.equal(await newest(ben).locator('.mention').getAttribute('data-me'), 'true')
  assert.equal(await newest(ben).locator('.text img, .text script').count(), 0)
  assert.deepEqual(await newest(ben).locator('.text a').evaluateAll((links) => links.map((link) => link.href)), ['https://example.org/'])
  assert.ok((await newest(ben).textContent()).includes('🎉'))
  await until('nobody is said to write any more', async () => (await ben.at('typing').textContent()) === '')

  // The own last message is edited with the arrow up, and taken back by its menu.
  await anna.page.keyboard.press('ArrowUp')
  await anna.at('edit-text').fill('something else')
  await anna.page.keyboard.press('Enter')
  await newest(ben).getByText('something else').waitFor()
  await newest(ben).locator('[data-testid="edited"]').waitFor()
  assert.ok(await anna.page.evaluate(() => document.activeElement.dataset.testid === 'composer'), 'the focus is back at the field')
  // It does not become a command.
  await anna.page.keyboard.press('ArrowUp')
  await anna.at('edit-text').fill('/call end')
  await anna.page.keyboard.press('Enter')
  await anna.page.getByText('What begins with / is a command').waitFor()
  assert.equal(await anna.at('edit-text').inputValue(), '/call end')
  await anna.page.keyboard.press('Escape')
  assert.equal(await newest(ben).locator('[data-testid="post-menu"]').count(), 1)
  await newest(ben).hover()
  await newest(ben).locator('[data-testid="post-menu"]').click()
  await ben.sees('copy-text')
  assert.equal(await ben.page.locator('[data-testid="edit-post"], [data-testid="delete-post"]').count(), 0, 'ben may not change it')
  await ben.page.keyboard.press('Escape')
  await newest(anna).hover()
  await newest(anna).locator('[data-testid="post-menu"]').click()
  await anna.at('delete-post').click()
  await anna.at('confirm-delete').click()
  await until('the message is gone at ben', async () => (await ben.page.locator('[data-testid="post"]').count()) === 0)
  assert.ok(await anna.page.evaluate(() => document.activeElement.tagName !== 'BODY'), 'the focus is somewhere')

  // A command is never published.
  await anna.at('composer').fill('/secret plan')
  await anna.page.keyboard.press('Enter')
  await anna.page.locator('.notice', { hasText: '/secret' }).waitFor()
  await anna.at('composer').fill('')

  // Files: by the button, by pasting and by dropping; a picture is shown as one.
  const file = path.join(stage.scratch, 'notes.txt')
  fs.writeFileSync(file, 'some notes')
  await anna.at('composer-file').setInputFiles([file])
  await anna.page.locator('[data-testid="upload"][data-state="done"]').waitFor()
  for (const [event, target, field] of [['paste', '[data-testid="composer"]', 'clipboardData'], ['drop', '.conversation', 'dataTransfer']]) {
    await anna.page.evaluate(({ event, target, field, bytes }) => {
      const data = new DataTransfer()
      data.items.add(new File([new Uint8Array(bytes)], `${event}.png`, { type: 'image/png' }))
      const made = event === 'paste' ? new ClipboardEvent(event, { bubbles: true, cancelable: true, [field]: data }) : new DragEvent(event, { bubbles: true, cancelable: true, [field]: data })
      document.querySelector(target).dispatchEvent(made)
    }, { event, target, field, bytes: [...PNG] })
  }
  await until('three files are attached', async () => (await anna.page.locator('[data-testid="upload"][data-state="done"]').count()) === 3)
  await anna.at('composer-send').click()
  await newest(ben).locator('.picture img').nth(1).waitFor()
  assert.equal(await newest(ben).locator('.file').count(), 3)
  assert.equal(await newest(ben).locator('.picture img').first().evaluate((image) => image.decode().then(() => image.naturalWidth)), 1)

  // A picture in a text: one of this server is shown, one from elsewhere is a link to it.
  const src = await newest(ben).locator('.picture img').first().getAttribute('src')
  await post(stage.server, stage.server.accounts[ANNA], CHANNEL, `![dot](${src}) ![far](https://pictures.example/far.png) :flag-de:`)
  await newest(ben).locator('.md .picture img[alt="dot"]').waitFor()
  assert.equal(await newest(ben).locator('.md img').count(), 1)
  assert.equal(await newest(ben).locator('.md a', { hasText: 'far' }).getAttribute('href'), 'https://pictures.example/far.png')
  assert.equal(await newest(ben).locator('.emoji-sign').textContent(), '🇩🇪')

  // What comes while one is elsewhere is counted, and a line shows where it begins.
  await ben.enter('off-topic')
  await post(stage.server, stage.server.accounts[ANNA], CHANNEL, 'while you were away, @ben')
  const entry = ben.at(`channel-${CHANNEL}`)
  await until('the channel is marked as unread, with a mention', async () => {
    const label = await entry.getAttribute('aria-label')
    return label.includes('1 unread') && label.includes('1 mention') ? true : new Miss(label)
  })
  await ben.page.reload()
  await until('after a reload as well', async () => (await entry.getAttribute('aria-label')).includes('1 unread'))
  await entry.click()
  await ben.sees('unread-line')
  await until('it is read', async () => !(await entry.getAttribute('aria-label')).includes('unread'))

  // The server has no commands yet: its refusal is a note of the browser's.
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles).filter((text) => !/status of 404/.test(text)), [])
})

story('chat_slow', 'a slow server takes nothing away: what is written meanwhile comes next, and what failed is there again', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA)
  const ben = await stage.person(BEN)
  let posted = 0
  await anna.page.route('**/api/v4/posts', async (route) => {
    posted += 1
    if (posted === 3) {
      await route.abort()
      return
    }
    if (posted === 1) await new Promise((resolve) => setTimeout(resolve, 1_500))
    await route.continue()
  })
  for (const words of ['the first', 'the second']) {
    await anna.at('composer').fill(words)
    await anna.page.keyboard.press('Enter')
    assert.equal(await anna.at('composer').inputValue(), '')
  }
  await ben.page.locator('[data-testid="post"]').getByText('the second').waitFor()
  assert.deepEqual(await ben.page.locator('[data-testid="post"] .text').allTextContents(), ['the first', 'the second'])
  await anna.at('composer').fill('the third')
  await anna.page.keyboard.press('Enter')
  await anna.page.locator('.notice', { hasText: 'not sent' }).waitFor()
  assert.equal(await anna.at('composer').inputValue(), 'the third')
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles).filter((text) => !/ERR_FAILED/.test(text)), [])
})

story('files', 'a file shows how far it is, can be taken back meanwhile, and one that is too large is refused before it is sent', async (stage) => {
  const limit = 2 * 1024 * 1024
  await stage.serve({ env: { SIGNALLING_CHAT_MAX_FILE_BYTES: String(limit) } })
  const anna = await stage.person(ANNA)
  const cdp = await anna.context.newCDPSession(anna.page)
  await cdp.send('Network.enable')
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 400_000 })
  const upload = (state) => anna.page.locator(`[data-testid="upload"][data-state="${state}"]`)
  const file = (name, bytes) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.alloc(bytes, 7) })

  await anna.at('composer-file').setInputFiles([file('long.bin', 1_600_000)])
  const share = () => upload('running').locator('progress').evaluate((bar) => bar.value)
  const first = await until('it has begun', async () => { const now = await share(); return now > 0 && now < 1 ? now : new Miss(now) })
  await until('it goes on', async () => { const now = await share(); return now > first || new Miss(now) })
  assert.ok(await anna.at('composer-send').isDisabled(), 'nothing is sent without it')
  await anna.at('remove-upload').click()
  await upload('running').waitFor({ state: 'detached' })
  assert.equal(await anna.page.evaluate(() => document.activeElement.dataset.testid), 'composer')

  let asked = 0
  anna.page.on('request', (request) => { if (request.method() === 'POST' && request.url().includes('/files')) asked += 1 })
  await anna.at('composer-file').setInputFiles([file('huge.bin', limit + 1)])
  await upload('refused').locator('.refusal', { hasText: /2(\.1)?\sMB/ }).waitFor()
  assert.equal(asked, 0, 'it is not sent first')
  await anna.at('remove-upload').click()
  await anna.at('composer-file').setInputFiles([file('short.bin', 20_000)])
  await upload('done').waitFor()
  await anna.at('composer-send').click()
  await anna.page.locator('[data-testid="post"] .file', { hasText: 'short.bin' }).waitFor()

  // Twelve at once: which two found no place is told, until something is taken out.
  await anna.at('composer-file').setInputFiles(Array.from({ length: 12 }, (_, at) => file(`part-${at + 1}.bin`, 100)))
  await upload('done').nth(9).waitFor()
  assert.equal(await anna.at('uploads-left').textContent(), 'part-11.bin, part-12.bin are left out: a message has at most 10 files.')
  await anna.at('remove-upload').click()
  await anna.at('uploads-left').waitFor({ state: 'detached' })
  assert.deepEqual(anna.troubles, [])
})

story('chat_long', 'earlier messages keep their place, and a long channel costs what a short one does', async (stage) => {
  // As many as no person writes in a minute.
  await stage.serve({ env: { SIGNALLING_CHAT_WRITES_PER_MINUTE: '0' } })
  await writeMany(stage.server, stage.server.accounts[ANNA], CHANNEL, 420)
  const ben = await stage.person(BEN)
  await ben.page.locator('[data-testid="post"]').last().getByText('message 420').waitFor()
  const list = ben.at('post-list')
  const sight = () => list.evaluate((element) => {
    const edge = element.getBoundingClientRect().top
    const first = [...element.querySelectorAll('[data-testid="post"]')].find((one) => one.getBoundingClientRect().bottom > edge + 40)
    return { text: first.querySelector('.text').textContent, top: Math.round(first.getBoundingClientRect().top - edge), posts: element.querySelectorAll('[data-testid="post"]').length }
  })

  // By the button: what was in sight stays where it was.
  await list.evaluate((element) => { element.scrollTop = 0 })
  await until('earlier messages come by themselves at the edge', async () => (await sight()).posts > 60)
  await ben.page.waitForTimeout(400)
  await list.evaluate((element) => { element.scrollTop = 260 })
  await ben.page.waitForTimeout(300)
  const before = await sight()
  await ben.at('earlier-messages').evaluate((button) => button.click())
  await until('more messages are there', async () => (await sight()).posts > before.posts)
  const after = await sight()
  assert.equal(after.text, before.text)
  assert.ok(Math.abs(after.top - before.top) <= 3, `what was in sight moved from ${before.top} to ${after.top} px`)

  // To the very first: never more than a bounded number stands in the page.
  let most = 0
  await until('the first message is in sight', async () => {
    most = Math.max(most, (await sight()).posts)
    await list.evaluate((element) => { element.scrollTop = 0 })
    const text = (await sight()).text
    return text.startsWith('message 1 ') ? true : new Miss(text)
  }, { ms: 30_000 })
  stage.say(`at most ${most} of 420 messages in the page`)
  assert.ok(most <= 240, `${most} messages in the page`)

  // A message that comes now does not tear the reader away; the button leads to it.
  const reading = await sight()
  await post(stage.server, stage.server.accounts[ANNA], CHANNEL, 'message 421')
  await ben.page.waitForTimeout(700)
  assert.equal((await sight()).text, reading.text)
  await ben.at('to-newest').click()
  await until('the newest message is in sight', async () => ben.page.locator('[data-testid="post"]').last().getByText('message 421').isVisible())

  // The field comes before the messages for the keyboard; arrows go from message to message.
  await ben.at('composer').focus()
  await ben.page.keyboard.press('Tab')
  await until('the list has the focus', () => ben.page.evaluate(() => document.activeElement.dataset.testid === 'post-list'))
  await ben.page.keyboard.press('ArrowUp')
  await ben.page.keyboard.press('ArrowUp')
  assert.ok((await ben.page.evaluate(() => document.activeElement.textContent)).includes('message 420'))
  assert.deepEqual(ben.troubles, [])
})

story('people_in', 'channels are made private, filled, described and left; an administrator lets people in and out', async (stage) => {
  await stage.serve()
  const anna = await stage.person(ANNA) // the administrator
  const ben = await stage.person(BEN)

  // A private channel, with somebody in it, a topic and another name.
  await anna.at('add-channel').click()
  await anna.at('new-channel-name').fill('Secret garden')
  await anna.at('new-channel-private').check()
  await anna.at('create-channel').click()
  await anna.sees('channel-secret-garden')
  await anna.at('channel-info').click()
  await anna.at('tab-add-people').click()
  await anna.at('find-person').fill('ben')
  await anna.at('person-ben').click()
  await anna.sees('added-ben')
  await ben.sees('channel-secret-garden')
  await anna.at('tab-about').click()
  await anna.at('channel-name').fill('Rose garden')
  await anna.at('channel-topic').fill('Roses only')
  await anna.at('save-channel').click()
  await ben.at('channel-secret-garden').click()
  await until('ben sees the new name and topic', async () => (await ben.at('topic').textContent()) === 'Roses only' && (await ben.page.locator('h1').last().textContent()).includes('Rose'))
  await ben.at('channel-info').click()
  await ben.at('tab-about').click()
  await ben.at('leave-channel').click()
  await ben.sees('channel-secret-garden', { shown: false })
  assert.ok(await ben.page.evaluate(() => document.activeElement.tagName !== 'BODY'), 'the focus is somewhere')

  // Joined by the list of channels, left by being taken out, and archived: gone for those who were in it.
  await anna.at('add-channel').click()
  await anna.at('new-channel-name').fill('Open ground')
  await anna.at('create-channel').click()
  await anna.sees('channel-open-ground')
  await ben.at('add-channel').click()
  await ben.at('join-channel-open-ground').click()
  await ben.sees('channel-open-ground')
  await anna.at('channel-info').click()
  await until('two people are in it', async () => (await anna.at('member-count').textContent()).startsWith('2 '))
  await anna.at('find-member').fill('ben')
  await until('members are searched', async () => (await anna.page.locator('[data-testid^="listed-"]').count()) === 1)
  await anna.at('remove-ben').click()
  await ben.sees('channel-open-ground', { shown: false })
  await anna.page.keyboard.press('Escape')
  await ben.at('add-channel').click()
  await ben.at('join-channel-open-ground').click()
  await ben.sees('channel-open-ground')
  await anna.at('channel-info').click()
  await anna.at('tab-about').click()
  await anna.at('archive-channel').click()
  await anna.at('confirm-archive').click()
  for (const person of [anna, ben]) await person.sees('channel-open-ground', { shown: false })

  // Three people in a group message.
  await anna.at('new-direct').click()
  await anna.at('gather-ben').click()
  await anna.at('gather-carla').click()
  await anna.at('open-group').click()
  await anna.page.locator('h1', { hasText: 'carla' }).waitFor()
  await post(stage.server, stage.server.accounts[CARLA], 'anna, ben, carla', 'hello you two', { byTitle: true })
  await ben.page.locator('.sidebar button', { hasText: 'anna, ben, carla' }).waitFor()

  // The own name, seen by the other at once.
  await ben.at('profile').click()
  await ben.at('my-nickname').fill('Benny')
  await ben.at('save-names').click()
  await until('saved', async () => (await ben.at('saved').textContent()) !== '')
  await ben.page.keyboard.press('Escape')

  // A list of people becomes accounts; one of them is shut out within a second.
  await anna.at('administration').click()
  await anna.at('tab-new-people').click()
  await anna.at('import-people').setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from('username,role\ndora,\nzoe,chief\n') })
  await anna.sees('import-mistakes')
  assert.match(await anna.at('import-mistakes').textContent(), /Nothing was done.*Line 3: The role chief must be/)
  assert.equal(await anna.at('made-dora').count(), 0, 'not even the good line')
  // What only the server knows is a mistake as well.
  await anna.at('import-people').setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from('username,password\n\ndora,\nzoe,passwordpassword\n') })
  await anna.sees('import-refused')
  assert.match(await anna.at('import-refused').textContent(), /Line 4: This password is easy to guess/)
  assert.equal(await anna.at('made-dora').count(), 0)
  await anna.at('import-people').setInputFiles({ name: 'people.csv', mimeType: 'text/csv', buffer: Buffer.from('username,first_name,last_name,role\ndora,Dora,Diaz,\nanna,Anna,Again,\nzoe,Zoe,Zimmer,administrator\n') })
  await anna.sees('made-dora')
  const password = await anna.at('made-dora').locator('code').textContent()
  await anna.page.locator('[data-testid="made-anna"][data-exists="true"]').waitFor()
  await anna.sees('made-zoe')
  const { Person } = await import('./harness/person.mjs')
  const dora = await Person.open(stage.server.url, { username: 'dora', password })
  stage.people.push(dora)
  await dora.signIn()
  await dora.sees('composer')
  await anna.at('tab-people').click()
  await anna.sees('admin-zoe')
  await anna.at('find-account').fill('dora')
  await anna.at('account-dora').click()
  const at = Date.now()
  await anna.at('toggle-active').click()
  await dora.sees('sign-in', { ms: 5000 })
  stage.say(`dora was out after ${Date.now() - at} ms`)
  await anna.sees('out-dora')
  // Among all accounts as well, from where she is let in again.
  await anna.at('find-account').fill('')
  await anna.sees('listed-ben')
  await anna.sees('out-dora')
  await anna.at('account-dora').click()
  await anna.at('toggle-active').click()
  await anna.at('out-dora').waitFor({ state: 'detached' })
  await anna.at('tab-health').click()
  await anna.page.locator('[data-testid="health"][data-ready="true"]').waitFor()
  assert.deepEqual([anna, ben].flatMap(({ troubles }) => troubles.filter((text) => !/status of 400/.test(text))), [])
})
