// A PostgreSQL of a story: its folder and its socket in the story's folder, no TCP port.

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

import { until } from './until.mjs'

const VERSIONS = '/usr/lib/postgresql'

/** Makes a server in `home`, starts it, and says where its database is and how it is stopped and started `again`. */
export async function startPostgres(home) {
  const bin = programs()
  const folder = path.join(home, 'postgres')
  fs.mkdirSync(folder, { mode: 0o700 })
  const isRoot = process.getuid() === 0
  // PostgreSQL refuses to run as root.
  const [command, ...before] = isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : ['env']
  if (isRoot) {
    spawnSync('chown', ['postgres:postgres', folder])
    fs.chmodSync(home, 0o711)
  }
  const run = { cwd: folder, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C.UTF-8' } }
  const data = path.join(folder, 'data')
  const made = spawnSync(command, [...before, path.join(bin, 'initdb'), '-D', data, '-U', 'parley', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], run)
  if (made.status !== 0) throw new Error(`initdb: ${made.stdout}${made.stderr}`)
  const settings = ['-c', 'listen_addresses=', '-c', 'fsync=off', '-c', `unix_socket_directories=${folder}`]
  const start = async () => {
    const child = spawn(command, [...before, path.join(bin, 'postgres'), '-D', data, ...settings], { ...run, stdio: 'ignore' })
    const exit = new Promise((resolve) => { child.once('exit', resolve) })
    await until('PostgreSQL answers', () => {
      const asked = spawnSync(path.join(bin, 'pg_isready'), ['-h', folder, '-q'])
      return asked.status === 0
    })
    return { process: child, exit }
  }
  return { url: `postgres://parley@${encodeURIComponent(folder)}/postgres`, ...await start(), again: start }
}

function programs() {
  const versions = fs.existsSync(VERSIONS) ? fs.readdirSync(VERSIONS).sort((a, b) => Number(a) - Number(b)) : []
  if (versions.length === 0) throw new Error('no PostgreSQL: run `tests/run`')
  return path.join(VERSIONS, versions.at(-1), 'bin')
}
