// nginx in front of signalling processes, with the file that operators get (deploy/nginx/parley.conf).

import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

import { free } from './ports.mjs'
import { ROOT } from './server.mjs'
import { until } from './until.mjs'

const NGINX = '/usr/sbin/nginx'

/** Starts nginx in front of these ports; says its address, by TLS, whose word is good for that, and how it is stopped and started `again`. */
export async function startNginx(home, ports) {
  if (!fs.existsSync(NGINX)) throw new Error('no nginx: run `tests/run`')
  const [front, folder] = [await free(0), path.join(home, 'nginx')]
  fs.mkdirSync(folder)
  const { certificate, key, authority } = certificates(folder)
  const site = changed(fs.readFileSync(path.join(ROOT, 'deploy/nginx/parley.conf'), 'utf8'), [
    [/^ *server 10\.0\.0\.4:8065(.*)$/m, ports.map((port) => `    server 127.0.0.1:${port}$1`).join('\n')],
    [/^ *server 10\.0\.0\.5:8065.*$/m, ''],
    ['listen 443 ssl', `listen 127.0.0.1:${front} ssl`],
    ['calls.example.org; ', '127.0.0.1; '],
    ['/etc/ssl/certs/calls.example.org.pem', certificate],
    ['/etc/ssl/private/calls.example.org.key', key],
  ])
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${folder}/${of};`).join('\n')
  const main = path.join(folder, 'nginx.conf')
  fs.writeFileSync(main, `daemon off;\npid ${folder}/pid;\nerror_log ${home}/nginx.log info;\nworker_processes 1;\nevents {}\nhttp {\naccess_log off;\n${temporary}\n${site}\n}\n`)
  const run = async () => {
    const child = spawn(NGINX, ['-c', main, '-e', path.join(home, 'nginx.log')], { stdio: 'ignore' })
    const exit = new Promise((resolve) => { child.once('exit', resolve) })
    await until('nginx listens', () => free(front).then(() => false, () => true))
    return { process: child, exit }
  }
  return { url: `https://127.0.0.1:${front}`, authority, ...await run(), again: run }
}

/** A certificate for this machine, and the authority that signed it: programs trust no certificate that signs itself. */
function certificates(folder) {
  const [certificate, key, authority, authorityKey, asked, names] = ['certificate.pem', 'key.pem', 'authority.pem', 'authority.key', 'asked.pem', 'names']
    .map((file) => path.join(folder, file))
  fs.writeFileSync(names, 'subjectAltName=IP:127.0.0.1\n')
  const made = ['-newkey', 'rsa:2048', '-nodes']
  for (const args of [
    ['req', '-x509', ...made, '-days', '2', '-subj', '/CN=authority of the tests', '-keyout', authorityKey, '-out', authority],
    ['req', ...made, '-subj', '/CN=127.0.0.1', '-keyout', key, '-out', asked],
    ['x509', '-req', '-in', asked, '-CA', authority, '-CAkey', authorityKey, '-CAcreateserial', '-days', '2', '-extfile', names, '-out', certificate],
  ]) {
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl: ${stderr}`)
  }
  return { certificate, key, authority }
}

/** The text with each of these changes, all of which must be possible. */
function changed(text, changes) {
  return changes.reduce((now, [from, to]) => {
    const next = now.replace(from, to)
    if (next === now) throw new Error(`deploy/nginx/parley.conf has no \`${from}\` any more`)
    return next
  }, text)
}
