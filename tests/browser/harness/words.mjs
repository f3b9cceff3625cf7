// Which of the page's English messages a page in another language still says.

import fs from 'node:fs'
import path from 'node:path'

import { ROOT } from './server.mjs'

const WORDS = path.join(ROOT, 'signalling', 'web', 'src', 'words')
const read = (name) => JSON.parse(fs.readFileSync(path.join(WORDS, `${name}.json`), 'utf8'))
const ENGLISH = { ...read('en'), ...read('en-later') }
const HOLE = /\{\w+\}/g
const ISOLATES = /[\u2066-\u2069]/g

/** Every language of the page but English, as a BCP 47 tag. */
export const OTHERS = fs.readdirSync(WORDS).filter((name) => /^[a-z-]+\.json$/i.test(name)).map((name) => name.slice(0, -5))
  .filter((tag) => !tag.startsWith('en'))

/** What is read or heard of the page as it stands: texts, labels, titles, placeholders, each by itself. */
async function textsOf(person) {
  const texts = await person.page.evaluate(() => {
    const found = [document.title]
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) found.push(walker.currentNode.textContent)
    for (const part of document.querySelectorAll('[aria-label], [title], [placeholder]')) {
      for (const name of ['aria-label', 'title', 'placeholder']) found.push(part.getAttribute(name) ?? '')
    }
    return found
  })
  return [...new Set(texts.map((text) => text.replace(ISOLATES, '').trim()))].filter((text) => /\p{L}/u.test(text))
}

/** The English that a page in the language `tag` says although the language has words for it. */
export async function englishIn(person, tag) {
  const own = new Set(Object.values(read(tag)).map((text) => text.replace(HOLE, '').trim()))
  const foreign = Object.values(ENGLISH)
    .map((text) => ({ text, bare: text.replace(HOLE, '').trim() }))
    // Words that both languages share, and messages of values alone, tell nothing.
    .filter(({ bare }) => /\p{L}{2}/u.test(bare) && !own.has(bare))
    .map(({ text }) => new RegExp(`^${text.split(HOLE).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('.+')}$`, 'u'))
  return (await textsOf(person)).filter((text) => foreign.some((message) => message.test(text)))
}
