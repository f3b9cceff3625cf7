// Waiting for a condition with a deadline: the only way a story waits.

/** Thrown when a condition did not come true; `last` is what was seen at the end. */
export class NotInTime extends Error {
  constructor(what, ms, last) {
    const seen = last instanceof Error ? last.message : JSON.stringify(last)
    super(`${what}: not within ${ms} ms; last seen: ${seen}`)
    this.name = 'NotInTime'
    this.last = last
  }
}

/**
 * Calls `look` until it returns something truthy that is not a `Miss`, and returns that.
 *
 * @param {string} what said in the error, as a statement that should have become true
 * @param {() => any} look may be async; what it throws counts as not yet
 * @param {{ms?: number, every?: number}} [limits] deadline and time between looks, in ms
 */
export async function until(what, look, { ms = 15_000, every = 100 } = {}) {
  const end = Date.now() + ms
  let last
  for (;;) {
    try {
      last = await look()
      if (last instanceof Miss) last = last.seen
      else if (last) return last
    } catch (error) {
      last = error
    }
    if (Date.now() >= end) throw new NotInTime(what, ms, last)
    await new Promise((resolve) => setTimeout(resolve, every))
  }
}

/** What a look returns when the condition is not true yet but what it saw is worth telling. */
export class Miss {
  constructor(seen) {
    this.seen = seen
  }
}
