// What can be seen of a page's controls, and of the focus on them, measured in pictures of the page: for
// where the system chooses the colours, and a border or a background that was meant is not there.

/** WCAG 1.4.11: for what identifies a control, and for where the focus is. */
const CONTRAST = 3

/** Faults of the controls that are on top now, as `state: control: what`; the picture is kept under `file`. */
export async function unseen(person, state, file) {
  const picture = await person.page.screenshot({ path: file, animations: 'disabled' })
  const controls = await person.page.evaluateHandle(inSight)
  const faults = await person.page.evaluate(judge, { controls, png: picture.toString('base64'), least: CONTRAST })
  return [...faults, ...await focusUnseen(person)].map((fault) => `${state}: ${fault}`)
}

/** True when an element has the colours by which the system marks what is chosen. */
export function isHighlighted(locator) {
  return locator.evaluate((element) => {
    const probe = document.createElement('span')
    probe.style.cssText = 'forced-color-adjust: none; background: Highlight; color: HighlightText'
    document.body.append(probe)
    const [wanted, { backgroundColor, color }] = [{ ...getComputedStyle(probe) }, getComputedStyle(element)]
    probe.remove()
    return backgroundColor === wanted.backgroundColor && color === wanted.color
  })
}

/** The focus on a control changes pixels at it, and has an outline that stands out. */
async function focusUnseen({ page }) {
  // From here on it is the keyboard that moves the focus: the browser shows it.
  await page.keyboard.press('Shift')
  const controls = await page.evaluateHandle(inSight)
  const faults = await page.evaluate(outlines, { controls, least: CONTRAST })
  const clip = await controls.evaluate((all) => {
    const { x, y, width, height } = all.at(-1).getBoundingClientRect()
    return { x: Math.max(0, x - 6), y: Math.max(0, y - 6), width: width + 12, height: height + 12 }
  })
  const pictures = []
  // Not nowhere: a menu would close.
  for (const place of [0, -1]) {
    await controls.evaluate((all, at) => all.at(at).focus(), place)
    pictures.push(await page.screenshot({ clip, animations: 'disabled', caret: 'hide' }))
  }
  return pictures[0].equals(pictures[1]) ? [...faults, 'the focus changes no pixel'] : faults
}

/** In the page: the controls of the box that is open, else of the page, that nothing covers. */
function inSight() {
  const box = document.querySelector(':popover-open') ?? document.querySelector('dialog[open]') ?? document
  return [...box.querySelectorAll('button, input, select, textarea, a[href]')].filter((control) => {
    const { x, y, width, height } = control.getBoundingClientRect()
    return width > 4 && !control.disabled && control.checkVisibility({ opacityProperty: true }) && control.contains(document.elementFromPoint(x + width / 2, y + height / 2))
  })
}

/** In the page: the marks and words of each control stand out from what is behind them, and a field has an edge. */
async function judge({ controls, png, least }) {
  const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (sign) => sign.charCodeAt(0))]))
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')
  context.drawImage(bitmap, 0, 0)
  const channel = (part) => (part <= 10 ? part / 3294 : ((part / 255 + 0.055) / 1.055) ** 2.4)
  const contrast = ({ left, top, right, bottom }) => {
    const [x, y] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))]
    const [width, height] = [Math.min(bitmap.width, Math.ceil(right)) - x, Math.min(bitmap.height, Math.ceil(bottom)) - y]
    const { data } = context.getImageData(x, y, width, height)
    let [low, high] = [1, 0]
    for (let at = 0; at < data.length; at += 4) {
      const light = 0.2126 * channel(data[at]) + 0.7152 * channel(data[at + 1]) + 0.0722 * channel(data[at + 2])
      low = Math.min(low, light)
      high = Math.max(high, light)
    }
    return (high + 0.05) / (low + 0.05)
  }
  const faults = []
  let judged = 0
  for (const control of controls) {
    const edge = control.getBoundingClientRect()
    const name = control.dataset.testid ?? control.getAttribute('aria-label') ?? control.textContent.slice(0, 20)
    const parts = control.matches('input, select, textarea') ? [['its edge', edge]] : [...control.querySelectorAll('svg')].map((mark) => ['its mark', mark.getBoundingClientRect()])
    const walker = document.createTreeWalker(control, NodeFilter.SHOW_TEXT)
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
      const range = document.createRange()
      range.selectNodeContents(text)
      if (text.data.trim() !== '' && text.parentElement.checkVisibility() && !text.parentElement.closest('.visually-hidden, option')) parts.push([`\`${text.data.slice(0, 20)}\``, range.getBoundingClientRect()])
    }
    for (const [what, where] of parts) {
      if (where.width < 2 || where.height < 2 || where.top < 0 || where.bottom > innerHeight || where.right > innerWidth) continue
      const found = contrast(where)
      judged += 1
      if (found < least) faults.push(`\`${name}\`: ${what} has a contrast of ${found.toFixed(1)}`)
    }
  }
  return judged > 0 ? faults : ['no control was found']
}

/** In the page: gives the focus to each control in turn. */
function outlines({ controls, least }) {
  const channel = (part) => (part <= 10 ? part / 3294 : ((part / 255 + 0.055) / 1.055) ** 2.4)
  const light = (colour) => {
    const [red, green, blue] = colour.match(/[\d.]+/g).map((part) => channel(Number(part)))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  const behind = (element) => {
    for (let at = element.parentElement; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at)
      if (!/^rgba\(.*, 0\)$/.test(backgroundColor)) return backgroundColor
    }
    return 'rgb(255, 255, 255)'
  }
  const faults = []
  for (const control of controls) {
    control.focus({ preventScroll: true })
    if (document.activeElement !== control) continue
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(control)
    const [one, other] = [light(outlineColor), light(behind(control))].sort((a, b) => b - a)
    const seen = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 && (one + 0.05) / (other + 0.05) >= least
    if (!seen) faults.push(`\`${control.dataset.testid ?? control.textContent.slice(0, 20)}\`: the focus is ${outlineWidth} ${outlineStyle} ${outlineColor} on ${behind(control)}`)
  }
  return faults
}
