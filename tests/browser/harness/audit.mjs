// axe-core in a page, in the middle of a story.

import fs from 'node:fs'
import { createRequire } from 'node:module'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const GRAVE = ['serious', 'critical']

/** The same as `faults`, in light and in dark; `look` may keep a picture of each. */
export async function faultsInBothThemes(person, state, look = () => {}) {
  const found = []
  for (const theme of ['light', 'dark']) {
    await person.page.evaluate((wanted) => { document.documentElement.dataset.theme = wanted }, theme)
    await look(theme)
    found.push(...await faults(person, `${state}, ${theme}`))
  }
  await person.page.evaluate(() => { document.documentElement.dataset.theme = 'light' })
  return found
}

/** Serious faults of what `person` sees now, as `state: rule (impact): elements`. */
export async function faults(person, state) {
  // Not as a script of the page: its policy allows only its own.
  if (!await person.page.evaluate(() => Boolean(globalThis.axe))) await person.page.evaluate(fs.readFileSync(AXE, 'utf8'))
  await person.page.waitForTimeout(250) // what fades in is judged when it is there
  const { violations } = await person.page.evaluate((runOnly) => {
    // What an open box lies over is no target for as long as it does: there the box is judged.
    const box = document.querySelector(':popover-open')
    const rules = box ? { 'target-size': { enabled: false } } : {}
    return globalThis.axe.run(document, { runOnly, rules })
  }, RULES)
  return violations.filter(({ impact }) => GRAVE.includes(impact))
    .map(({ id, impact, nodes }) => `${state}: ${id} (${impact}): ${nodes.slice(0, 3).map(({ html, any }) => `${html.slice(0, 160)} [${any[0]?.message ?? ''}]`).join(' | ')}`)
}
