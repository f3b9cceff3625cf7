// Processes and their sockets as Linux tells them under /proc.
//
// Used to find the offloader's worker and what outlived a story, and to see that the product talks to this machine only.

import fs from 'node:fs'

/** All descendants of a process: `[{pid, parent, command}]`, `command` with spaces between arguments. */
export function descendants(pid) {
  const all = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'latin1')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      const command = fs.readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ').trim()
      return [{ pid: Number(name), parent, command }]
    } catch {
      return [] // ended while we looked
    }
  })
  const found = []
  const wanted = [pid]
  while (wanted.length > 0) {
    const parent = wanted.shift()
    const children = all.filter((one) => one.parent === parent)
    found.push(...children)
    wanted.push(...children.map((one) => one.pid))
  }
  return found
}

/** Those that work in this folder, whoever began them: also what outlived that. `[{pid, parent, command}]` */
export function workingIn(folder) {
  const real = fs.realpathSync(folder)
  return descendants(0).filter(({ pid }) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/cwd`) === real
    } catch {
      return false // ended while we looked
    }
  })
}

/**
 * The sockets of a process with a far end: `[{protocol, far, port}]`.
 * `far` is an IP address as text.
 */
export function connections(pid) {
  const inodes = socketInodes(pid)
  if (inodes.size === 0) return []
  return ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((protocol) => table(pid, protocol)
    .filter((row) => inodes.has(row.inode) && row.port !== 0)
    .map(({ far, port }) => ({ protocol, far, port })))
}

/** The UDP ports that a process has bound, in any order. */
export function udpPorts(pid) {
  const inodes = socketInodes(pid)
  const rows = ['udp', 'udp6'].flatMap((protocol) => table(pid, protocol))
  return [...new Set(rows.filter((row) => inodes.has(row.inode)).map((row) => row.nearPort))]
}

/** True for an address of this machine's loopback, also as IPv4 inside IPv6. */
export function isLoopback(address) {
  return address.startsWith('127.') || address === '::1' || address.startsWith('::ffff:127.')
}

function socketInodes(pid) {
  const inodes = new Set()
  try {
    for (const fd of fs.readdirSync(`/proc/${pid}/fd`)) {
      const match = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/${pid}/fd/${fd}`))
      if (match) inodes.add(match[1])
    }
  } catch {
    // The process ended while we looked: it has no sockets any more.
  }
  return inodes
}

function linkOf(file) {
  try {
    return fs.readlinkSync(file)
  } catch {
    return '' // closed while we looked
  }
}

function table(pid, protocol) {
  let text = ''
  try {
    text = fs.readFileSync(`/proc/${pid}/net/${protocol}`, 'latin1')
  } catch (error) {
    // The process ended while we looked, or the machine has no such protocol (IPv6).
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH') throw error
  }
  const lines = text.trim().split('\n').slice(1)
  return lines.map((line) => {
    const fields = line.trim().split(/\s+/)
    const [address, port] = fields[2].split(':')
    const nearPort = Number.parseInt(fields[1].split(':')[1], 16)
    return { far: addressOf(address), port: Number.parseInt(port, 16), nearPort, inode: fields[9] }
  })
}

/** The kernel prints addresses as 32-bit words in the byte order of the machine (little endian). */
function addressOf(hex) {
  const bytes = hex.match(/.{8}/g).flatMap((word) => word.match(/../g).reverse().map((byte) => Number.parseInt(byte, 16)))
  if (bytes.length === 4) return bytes.join('.')
  const mapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
  if (mapped) return `::ffff:${bytes.slice(12).join('.')}`
  if (bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1) return '::1'
  return Array.from({ length: 8 }, (_, at) => ((bytes[2 * at] << 8) | bytes[2 * at + 1]).toString(16)).join(':')
}
