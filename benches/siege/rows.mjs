// Figures with their musts, a row each.

export class Rows {
  #rows = []

  /** A figure that holds at `most` or below. */
  must(name, figure, unit, most, note = '') {
    this.#rows.push({ name, figure, unit, must: most, note, holds: figure <= most })
  }

  /** A figure that is told, and holds whatever it is. */
  told(name, figure, unit, note = '') {
    this.#rows.push({ name, figure, unit, note })
  }

  get hold() {
    return this.#rows.length > 0 && this.#rows.every(({ holds }) => holds !== false)
  }

  all() {
    return { rows: this.#rows, held: this.hold }
  }

  print() {
    for (const { name, figure, unit, must, note, holds } of this.#rows) {
      const verdict = holds === undefined ? 'told  ' : holds ? 'holds ' : 'MISSED'
      const shown = Number.isInteger(figure) ? figure : figure.toFixed(2)
      console.log(`${verdict}  ${name}: ${shown} ${unit}${must === undefined ? '' : ` (must ${must})`}${note ? `\n        ${note}` : ''}`)
    }
    console.log(this.hold ? 'every must holds' : 'not every must holds')
  }
}
