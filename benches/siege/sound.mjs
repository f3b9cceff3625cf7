// Who did not hear whom, when, and after which blow.
//
// In: what each page noted of each tone (`pages/ears.js`, `watch`), and the blows. Out: gaps, each put down to
// the blow before it. Nothing here waits or looks.

/** The page notes a gap from the last look that heard: a gap may begin that much before the blow. */
const EARLY_MS = 250
/** What begins later than this after a blow to a media node is nothing that its people had to expect. */
const AT_ONCE_MS = 8_000

/**
 * @param {{name: string, noted?: object}[]} looks the last look at each page
 * @param {Map<number, string>} speakers who speaks with which tone
 * @param {number} now a gap that is not over lasts until then
 * @returns {{listener: string, speaker: string, from: number, until: number, isOver: boolean}[]}
 */
export function gapsOf(looks, speakers, now) {
  const gaps = []
  for (const { name: listener, noted } of looks) {
    for (const [hz, speaker] of speakers) {
      const note = noted?.[hz]
      if (!note || speaker === listener || note.lastHeard === 0) continue
      for (const [from, until] of note.gaps) gaps.push({ listener, speaker, from, until, isOver: true })
      if (note.isAway) gaps.push({ listener, speaker, from: note.lastHeard, until: now, isOver: false })
    }
  }
  return gaps.sort((a, b) => a.from - b.from)
}

/**
 * Puts each gap down to a blow. `calm`: those before the first. `after(how)`: of the blows of one half, `back` of
 * pairs of which one had its media at the node that was hit, and `others` of all that nothing should have
 * happened to. Of a kill counts what passed from it until the one hears the other again; of a drain, which people
 * leave one after the other, how long each was without.
 */
export function afterBlows(gaps, blows) {
  const calm = []
  const known = gaps.map((gap) => ({ ...gap, blow: blows.findLast(({ at }) => at - EARLY_MS <= gap.from) }))
  for (const gap of known) if (!gap.blow) calm.push({ ...gap, ms: gap.until - gap.from })
  const after = (how) => {
    const [back, others] = [[], []]
    for (const gap of known.filter(({ blow }) => blow?.how === how)) {
      const { blow, listener, speaker, from, until } = gap
      const isHit = blow.hit.includes(listener) || blow.hit.includes(speaker)
      if (isHit && from - blow.at < AT_ONCE_MS) back.push({ ...gap, ms: until - (how === 'kill' ? blow.at : from) })
      else others.push({ ...gap, ms: until - from })
    }
    return { back, others }
  }
  return { calm, after }
}

/** Whether anybody heard the speaker all the time between the two instants. */
export function isHeard(gaps, speaker, listeners, from, until) {
  const missed = new Set(gaps.filter((gap) => gap.speaker === speaker && gap.from < until && gap.until > from).map(({ listener }) => listener))
  return listeners.some((listener) => listener !== speaker && !missed.has(listener))
}
