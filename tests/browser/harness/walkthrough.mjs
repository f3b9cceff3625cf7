// A walk-through of the documents, executed as it is written: its `sh` blocks, in their order, in one shell.
//
// In: a Markdown file, and what a reader puts in place of values in it. Out: sections that are run one after the
// other; a `text` block behind an `sh` block is what that prints, and is waited for. Whatever the blocks have
// started ends with the walk-through. Not here: what the document is about.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

import { Miss, until } from './until.mjs'

const FENCE = /^```(\w*)$/
const BLOCK_WITHIN_MS = 60_000

/** The `##` sections of a text: `[{title, blocks: [{language, text, line}]}]`; `line` is that of the file. */
export function sectionsOf(markdown) {
  const sections = []
  let open
  for (const [at, line] of markdown.split('\n').entries()) {
    const fence = FENCE.exec(line)
    if (open) {
      if (fence) open = undefined
      else open.text += `${line}\n`
    } else if (fence) {
      open = { language: fence[1], text: '', line: at + 2 }
      sections.at(-1)?.blocks.push(open)
    } else if (line.startsWith('## ')) {
      sections.push({ title: line.slice(3), blocks: [] })
    }
  }
  return sections
}

/** The block with other values in assignments `NAME=value`, each of which must be there once. */
export function withValues(text, values) {
  return Object.entries(values).reduce((now, [name, value]) => {
    const assignment = new RegExp(`(^|\\s)${name}=\\S+`, 'g')
    const found = now.match(assignment) ?? []
    if (found.length !== 1) throw new Error(`\`${name}=\` stands ${found.length} times in:\n${now}`)
    return now.replace(assignment, (_, before) => `${before}${name}='${value}'`)
  }, text)
}

/** What of a printed text is the same every time, a line each, in alphabetical order: a figure that nobody knows yet is a dash. */
export function shapeOf(printed) {
  const lines = printed.trim().split('\n').map((line) => line.trim()
    .replace(/\d+:\d\d:\d\d/g, 'H:M:S')
    .replace(/ +\d+\.\d+\.\d+(?= )/g, ' VERSION')
    .replace(/ (\d+(\.\d+)?( %)?|-)(?= )/g, ' N')
    .replace(/ +/g, ' '))
  return lines.sort()
}

export class Walkthrough {
  /**
   * Opens a document for its reader, who has a home and an environment.
   *
   * @param {{file: string, home: string, env: object, read?: (expected: string) => string}} reader
   *   `read` puts the reader's values into what the document says is printed
   */
  constructor({ file, home, env, read = (expected) => expected }) {
    this.sections = sectionsOf(fs.readFileSync(file, 'utf8'))
    this.name = path.basename(file)
    this.home = home
    this.read = read
    this.taken = 0
    this.run = 0
    // In a group of its own: whatever it starts in the background can be ended with it.
    this.shell = spawn('bash', ['-e'], { cwd: home, env: { ...env, HOME: home }, stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    this.exit = new Promise((resolve) => { this.shell.once('exit', (code, signal) => resolve(code ?? signal)) })
    this.exit.then((how) => { this.ended = how })
    this.shell.stdin.on('error', () => {}) // it has ended: the block that it was in says so
  }

  /** Runs the blocks up to the end of a section, which is named by how it begins; `values` replace those of its assignments. */
  async through(title, values = {}) {
    const at = this.sections.findIndex((section) => section.title.startsWith(title))
    if (at < this.taken) throw new Error(`${this.name} has no section \`${title}\` that comes next`)
    const wanted = this.sections.slice(this.taken, at + 1)
    this.taken = at + 1
    const used = new Set()
    for (const { blocks } of wanted) {
      for (const [index, block] of blocks.entries()) {
        if (block.language !== 'sh') continue
        const own = Object.entries(values).filter(([name]) => !used.has(name) && new RegExp(`(^|\\s)${name}=`).test(block.text))
        for (const [name] of own) used.add(name)
        const text = withValues(block.text, Object.fromEntries(own))
        const next = blocks[index + 1]
        if (next?.language === 'text') await this.#prints(text, block.line, next)
        else await this.#does(text, block.line)
      }
    }
    const unused = Object.keys(values).filter((name) => !used.has(name))
    if (unused.length > 0) throw new Error(`${this.name}, up to \`${title}\`, has nothing called ${unused}`)
  }

  /** The titles of sections that have blocks to be run, and were not. */
  get left() {
    return this.sections.slice(this.taken).filter(({ blocks }) => blocks.some(({ language }) => language === 'sh')).map(({ title }) => title)
  }

  /** A block that must do what it says. */
  async #does(text, line) {
    const { printed, code } = await this.#send(text, line)
    if (code !== 0) throw new Error(`${this.name}:${line} ended with ${code}:\n${text}\n${printed}`)
  }

  /** A question that is asked until the answer is the one in the document. */
  async #prints(text, line, expected) {
    const wanted = shapeOf(this.read(expected.text))
    await until(`${this.name}:${line} prints what stands behind it`, async () => {
      const { printed } = await this.#send(text, line, ' || code=$?')
      const shape = shapeOf(printed)
      return shape.join('\n') === wanted.join('\n') ? true : new Miss({ printed: shape, wanted })
    }, { ms: BLOCK_WITHIN_MS })
  }

  async #send(text, line, otherwise = '') {
    this.run += 1
    const block = path.join(this.home, `block-${this.run}`)
    fs.writeFileSync(`${block}.sh`, text)
    // Read into the shell itself, so that what one block sets the next one knows. A first word of the
    // answer that is there before the rest would be taken for all of it: it is written aside.
    this.shell.stdin.write(`code=0\n. '${block}.sh' >'${block}.out' 2>&1 </dev/null${otherwise}\necho $code >'${block}.new'\nmv '${block}.new' '${block}.code'\n`)
    const code = await until(`${this.name}:${line} is done`, () => {
      if (fs.existsSync(`${block}.code`)) return fs.readFileSync(`${block}.code`, 'utf8').trim()
      return this.ended === undefined ? new Miss(said(block)) : String(this.ended)
    }, { ms: BLOCK_WITHIN_MS, every: 20 })
    return { printed: said(block), code: /^\d+$/.test(code) ? Number(code) : code }
  }

  /** Ends the shell and whatever was started in it. */
  async end() {
    try {
      process.kill(-this.shell.pid, 'SIGKILL')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error // all have ended
    }
    await this.exit
  }
}

function said(block) {
  return fs.existsSync(`${block}.out`) ? fs.readFileSync(`${block}.out`, 'utf8') : ''
}
