// Ports that nobody has.

import net from 'node:net'

/** rtcd accepts media ports up to 49151: a port of the system's choice may lie above. */
const MEDIA_PORTS = { low: 20_000, high: 30_000 }

/** The port, if nobody has it; with 0 one of the system's choice. */
export function free(port) {
  return new Promise((resolve, reject) => {
    const probe = net.createServer()
    probe.once('error', reject)
    probe.listen(port, '127.0.0.1', () => {
      const { port: found } = probe.address()
      probe.close(() => resolve(found))
    })
  })
}

/** A port that media may have. */
export async function freeMediaPort() {
  for (let tries = 0; tries < 50; tries += 1) {
    const port = MEDIA_PORTS.low + Math.floor(Math.random() * (MEDIA_PORTS.high - MEDIA_PORTS.low))
    const found = await free(port).catch(() => undefined)
    if (found) return found
  }
  throw new Error('no free port for media')
}
