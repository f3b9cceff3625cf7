// Word error rate of a transcript against the text that was spoken.
//
// Both sides are brought to plain words first: Whisper writes "$42,000", "10%", "3rd" and
// "Alright" where the text says words, and none of that is a mistake of hearing.

const ONES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten',
  'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen']
const TENS = ['', '', 'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety']
const SCALES = [[1_000_000_000, 'billion'], [1_000_000, 'million'], [1_000, 'thousand'], [100, 'hundred']]
const ORDINALS = { one: 'first', two: 'second', three: 'third', five: 'fifth', eight: 'eighth', nine: 'ninth', twelve: 'twelfth' }
/** Spellings of the same spoken words. */
const SAME = [[/\balright\b/g, 'all right'], [/\bokay\b/g, 'ok'], [/\bmr\b/g, 'mister'], [/\bdr\b/g, 'doctor'], [/\be mail\b/g, 'email'],
  [/\blog in\b/g, 'login'], [/\bre enter/g, 'reenter'], [/\bvoice mail\b/g, 'voicemail']]

/** Returns a number in words: 42 -> "forty two". Whole numbers from 0 below 10^12. */
export function spell(number) {
  if (number < 20) return ONES[number]
  if (number < 100) return [TENS[Math.floor(number / 10)], number % 10 ? ONES[number % 10] : ''].join(' ').trim()
  const [size, name] = SCALES.find(([scale]) => number >= scale)
  const rest = number % size
  return [spell(Math.floor(number / size)), name, rest ? spell(rest) : ''].join(' ').trim()
}

function spellOrdinal(number) {
  const words = spell(number).split(' ')
  const last = words.pop()
  const plain = last.endsWith('y') ? `${last.slice(0, -1)}ieth` : `${last}th`
  return [...words, ORDINALS[last] ?? plain].join(' ')
}

/** Returns the words of a text: lower case, numbers spelt out, no punctuation. */
export function words(text) {
  let plain = text.toLowerCase().replace(/[’']/g, "'")
    .replace(/(\d),(?=\d{3})/g, '$1')
    .replace(/\$\s*(\d+(?:\.\d+)?)/g, '$1 dollars')
    .replace(/(\d)\s*%/g, '$1 percent')
    .replace(/(\d+)(?:st|nd|rd|th)\b/g, (_, digits) => ` ${spellOrdinal(Number(digits))} `)
    .replace(/(\d+)\.(\d+)/g, (_, whole, part) => ` ${spell(Number(whole))} point ${[...part].map((digit) => ONES[digit]).join(' ')} `)
    .replace(/\d+/g, (digits) => ` ${spell(Number(digits))} `)
    .replace(/[^\p{L}' ]+/gu, ' ')
  for (const [pattern, replacement] of SAME) plain = plain.replace(pattern, replacement)
  return plain.split(/\s+/).map((word) => word.replace(/^'+|'+$/g, '')).filter(Boolean)
}

/**
 * Compares what was heard with what was said.
 *
 * @returns {{rate: number, errors: number, words: number}} `rate` = errors / words said; substitutions,
 * insertions and deletions count one each, so the rate can pass 1
 */
export function wordErrorRate(said, heard) {
  const [reference, hypothesis] = [words(said), words(heard)]
  let row = hypothesis.map((_, at) => at + 1)
  row.unshift(0)
  reference.forEach((word, line) => {
    const next = [line + 1]
    hypothesis.forEach((other, column) => {
      const replace = row[column] + (word === other ? 0 : 1)
      next.push(Math.min(replace, row[column + 1] + 1, next[column] + 1))
    })
    row = next
  })
  const errors = row[hypothesis.length]
  return { errors, words: reference.length, rate: reference.length ? errors / reference.length : 0 }
}
