// What a page may not do at any size and in any language: stick out, cover one control by another.

import fs from 'node:fs'
import path from 'node:path'

import { ROOT } from './server.mjs'

const SHOTS = path.join(ROOT, 'target', 'shots')

/** Keeps a picture of the page under target/shots. */
export async function shoot(person, name) {
  fs.mkdirSync(SHOTS, { recursive: true })
  await person.page.screenshot({ path: path.join(SHOTS, `${name}.png`) })
}

/** What is wrong with the page as it stands, in words; empty when nothing is. */
export async function faultsOf(person) {
  return person.page.evaluate(() => {
    const faults = []
    const width = document.documentElement.clientWidth
    if (document.scrollingElement.scrollWidth > width) faults.push(`the page is ${document.scrollingElement.scrollWidth} px wide at a width of ${width}`)
    const nameOf = (part) => part.dataset.testid ?? part.getAttribute('aria-label') ?? part.textContent.slice(0, 20)
    const dialog = document.querySelector('dialog[open]')
    const controls = [...(dialog ?? document).querySelectorAll('button, input, select, textarea, a[href]')]
      .filter((part) => part.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !part.closest('.post-actions, .composer-field, .skip, .to-newest'))
    const seen = controls.map((part) => {
      // Only what its scrolling lists let through.
      const box = part.getBoundingClientRect()
      let [left, top, right, bottom] = [box.left, box.top, box.right, box.bottom]
      for (let at = part.parentElement; at; at = at.parentElement) {
        if (getComputedStyle(at).overflow !== 'visible') {
          const edge = at.getBoundingClientRect()
          left = Math.max(left, edge.left); top = Math.max(top, edge.top); right = Math.min(right, edge.right); bottom = Math.min(bottom, edge.bottom)
        }
      }
      return { part, left, top, right, bottom }
    }).filter(({ left, top, right, bottom }) => right - left > 1 && bottom - top > 1)
    for (const { part, left, right } of seen) {
      if (left < -1 || right > width + 1) faults.push(`\`${nameOf(part)}\` sticks out: ${Math.round(left)} to ${Math.round(right)} of ${width}`)
    }
    seen.forEach((one, index) => {
      for (const other of seen.slice(index + 1)) {
        if (one.part.contains(other.part) || other.part.contains(one.part)) continue
        const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left)
        const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top)
        if (wide > 2 && high > 2) faults.push(`\`${nameOf(one.part)}\` and \`${nameOf(other.part)}\` cover each other by ${Math.round(wide)} x ${Math.round(high)} px`)
      }
    })
    return faults
  })
}
