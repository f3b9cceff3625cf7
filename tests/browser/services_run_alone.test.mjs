// The three services as programs of their own, wired by their own configuration files: what an
// operator runs who does not want everything in one process.
//
// In: the binaries beside PARLEY_BIN (default target/debug). Verbs are tried, then rtcd, offloader
// and signalling are started, two accounts added on the command line, and a real call is made.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import test from 'node:test'

import { free, freeMediaPort } from './harness/ports.mjs'
import { ROOT } from './harness/server.mjs'
import { until } from './harness/until.mjs'

const BIN = path.dirname(process.env.PARLEY_BIN ?? path.join(ROOT, 'target', 'debug', 'parley'))
const PASSWORD = 'a password of the tests'

async function writeFiles(home) {
  const [rtcd, offloader, signalling] = [await free(0), await free(0), await free(0)]
  const media = await freeMediaPort()
  const files = {
    rtcd: `
[api.http]
listen_address = "127.0.0.1:${rtcd}"
[api.security]
allow_self_registration = true
[rtc]
ice_address_udp = "127.0.0.1"
ice_address_tcp = "127.0.0.1"
ice_port_udp = ${media}
ice_port_tcp = ${media}
[store]
data_source = "${home}/rtcd"
[logger]
enable_file = false
`,
    offloader: `
[api.http]
listen_address = "127.0.0.1:${offloader}"
[api.security]
allow_self_registration = true
[store]
data_source = "${home}/offloader"
`,
    signalling: `
[http]
listen = "127.0.0.1:${signalling}"
[storage]
data_dir = "${home}/signalling"
[rtcd]
urls = ["http://127.0.0.1:${rtcd}"]
[offloader]
url = "http://127.0.0.1:${offloader}"
`,
  }
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(home, `${name}.toml`), text)
  return { rtcd, offloader, signalling }
}

function ask(home, program, ...args) {
  const answer = spawnSync(path.join(BIN, program), ['--config', path.join(home, `${program}.toml`), ...args],
    { encoding: 'utf8', cwd: home, env: { ...process.env, SIGNALLING_PASSWORD: PASSWORD } })
  assert.equal(answer.status, 0, `${program} ${args.join(' ')}: ${answer.stdout}${answer.stderr}`)
  return answer.stdout
}

test('rtcd, offloader and signalling run as programs of their own, and people talk', { timeout: 120_000 }, async (context) => {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-alone-'))
  const running = []
  context.after(async () => {
    for (const { process: child, exit } of running.reverse()) {
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await exit
      clearTimeout(late)
    }
    fs.rmSync(home, { recursive: true, force: true })
  })
  const ports = await writeFiles(home)
  for (const program of ['rtcd', 'offloader', 'signalling']) {
    assert.match(spawnSync(path.join(BIN, program), ['--version'], { encoding: 'utf8' }).stdout, /\d+\.\d+\.\d+/)
    ask(home, program, 'check-config')
    assert.match(ask(home, program, 'print-config'), /127\.0\.0\.1/)
  }
  for (const name of ['anna', 'ben']) ask(home, 'signalling', 'add-account', name)

  for (const program of ['rtcd', 'offloader', 'signalling']) {
    const log = fs.openSync(path.join(home, `${program}.log`), 'a')
    const child = spawn(path.join(BIN, program), ['--config', path.join(home, `${program}.toml`), 'run'],
      { cwd: home, stdio: ['ignore', log, log] })
    running.push({ process: child, exit: new Promise((resolve) => { child.once('exit', resolve) }) })
    const ready = program === 'signalling' ? 'readyz' : 'version'
    await until(`${program} answers`, () => fetch(`http://127.0.0.1:${ports[program]}/${ready}`).then((answer) => answer.ok, () => false), { ms: 30_000 })
  }

  const call = spawn(process.execPath, [path.join(ROOT, 'tests', 'browser', 'check.mjs'), '--url', `http://127.0.0.1:${ports.signalling}`,
    '--account', `anna:${PASSWORD}`, '--account', `ben:${PASSWORD}`], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  call.stdout.on('data', (text) => { said += text })
  call.stderr.on('data', (text) => { said += text })
  const status = await new Promise((resolve) => { call.once('exit', resolve) })
  context.diagnostic(said.trim())
  assert.equal(status, 0, said)
})
