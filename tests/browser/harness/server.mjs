// The product under test: one `parley` process on free ports with a data directory of its own.
//
// In: the binary named by PARLEY_BIN (default target/debug/parley). Out: its address and sample
// accounts. The log stays in target/browser-logs when a story fails, and is named in the error.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

import { Miss, until } from './until.mjs'

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..')
const LOGS = path.join(ROOT, 'target', 'browser-logs')
/** Where the speech models are; without one the server runs, but nothing is transcribed. */
export const MODELS = process.env.PARLEY_MODELS ?? path.join(ROOT, '.parley', 'models')
const READY_WITHIN_MS = 60_000
const STOP_WITHIN_MS = 15_000

/** Settings of the machine that must not leak into the product: nothing may be taken from them. */
const FOREIGN_ENV = /^(PG|AWS_|S3_|NATS_|DATABASE_|POSTGRES|MM_|RTCD_|SIGNALLING_|OFFLOADER_|PARLEY_)/

/** The environment without them. */
export function ownEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([key]) => !FOREIGN_ENV.test(key)))
}

export class Server {
  /**
   * Starts parley and waits until it is ready.
   *
   * @param {string} story names the log file
   * @param {{args?: string[], env?: object, models?: string, samples?: boolean}} [more] further arguments and environment, another folder of speech models; without sample accounts
   */
  static async start(story, { args = [], env = {}, models = MODELS, samples = true } = {}) {
    const binary = process.env.PARLEY_BIN ?? path.join(ROOT, 'target', 'debug', 'parley')
    if (!fs.existsSync(binary)) {
      throw new Error(`\`${binary}\` does not exist: build it with \`cargo build -p parley\`, or set PARLEY_BIN`)
    }
    const server = new Server(story, binary)
    await server.#launch([...(samples ? ['--sample-accounts'] : []), ...args], env, models)
    return server
  }

  constructor(story, binary) {
    this.story = story
    this.binary = binary
    this.home = fs.mkdtempSync(path.join(os.tmpdir(), `parley-${story}-`))
    this.dataDir = path.join(this.home, 'data')
    this.log = path.join(this.home, 'parley.log')
  }

  async #launch(args, env, models) {
    const readyFile = path.join(this.home, 'ready.json')
    const log = fs.openSync(this.log, 'a')
    this.process = spawn(this.binary, ['run', '--data-dir', this.dataDir, '--listen', '127.0.0.1:0', '--rtc-port', '0',
      '--models-dir', models, '--ready-file', readyFile, ...args],
    { env: { RUST_LOG: 'info', ...ownEnvironment(), ...env }, stdio: ['ignore', log, log], cwd: this.home })
    fs.closeSync(log)
    this.exit = new Promise((resolve) => {
      this.process.once('exit', (code, signal) => resolve({ code, signal }))
      this.process.once('error', (error) => resolve({ error }))
    })
    this.exit.then((how) => { this.exited = how })
    try {
      await until(`\`${this.binary}\` says that it is ready`, () => {
        if (this.exited) return true
        return fs.existsSync(readyFile) ? JSON.parse(fs.readFileSync(readyFile, 'utf8')) : new Miss(this.tail(3))
      }, { ms: READY_WITHIN_MS })
      if (this.exited) throw new Error(`\`${this.binary}\` ended at start: ${JSON.stringify(this.exited)}\n${this.tail(20)}`)
    } catch (error) {
      await this.stop({ failed: true })
      throw error
    }
    this.ready = JSON.parse(fs.readFileSync(readyFile, 'utf8'))
    this.url = this.ready.url.replace(/\/$/, '')
    this.accounts = this.ready.accounts
  }

  get pid() {
    return this.process.pid
  }

  /** True while the process has not ended by itself. */
  get alive() {
    return !this.exited
  }

  /** The last lines of the log. */
  tail(lines = 20) {
    return fs.existsSync(this.log) ? fs.readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : ''
  }

  /** Stops parley: SIGTERM, then SIGKILL. Keeps the log when the story failed. */
  async stop({ failed = false } = {}) {
    if (!this.exited && this.process.pid) {
      this.process.kill('SIGTERM')
      const limit = new Promise((resolve) => { this.stopTimer = setTimeout(resolve, STOP_WITHIN_MS, 'late') })
      if (await Promise.race([this.exit, limit]) === 'late') {
        this.process.kill('SIGKILL')
        await this.exit
        this.stoppedLate = true
      }
      clearTimeout(this.stopTimer)
    }
    if (failed || this.stoppedLate || process.env.PARLEY_KEEP_LOGS) {
      fs.mkdirSync(LOGS, { recursive: true })
      const kept = path.join(LOGS, `${this.story}.log`)
      fs.copyFileSync(this.log, kept)
      console.error(`log of parley: ${kept}`)
    }
    fs.rmSync(this.home, { recursive: true, force: true })
  }
}
