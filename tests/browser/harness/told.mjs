// What a server may tell a page, told to it at a chosen moment: for states that a story cannot wait for
// (a recording near its limit), and for what another server says. All else passes as it is.

const EVENT = 'custom_com.mattermost.calls_'

/**
 * Stands between a page and its WebSockets from the next load of the page on. Resolves to a function that
 * tells the page an event of calls, on each of them.
 *
 * @param {import('./person.mjs').Person} person
 * @returns {Promise<(name: string, data: {channelID: string}) => void>}
 */
export async function telling(person) {
  const open = new Set()
  await person.page.routeWebSocket(/\/api\/v4\/websocket/, (socket) => {
    const server = socket.connectToServer()
    // Events are numbered without a gap: what is told in between moves the numbers that follow.
    const line = { next: 0, moved: 0, send: (text) => socket.send(text) }
    open.add(line)
    server.onMessage((message) => {
      const told = typeof message === 'string' ? JSON.parse(message) : {}
      if (typeof told.seq !== 'number') {
        socket.send(message)
        return
      }
      line.next = told.seq + line.moved + 1
      socket.send(JSON.stringify({ ...told, seq: told.seq + line.moved }))
    })
    socket.onMessage((message) => server.send(message))
    socket.onClose((code, reason) => {
      open.delete(line)
      void server.close({ code, reason })
    })
  })
  return (name, data) => open.forEach((line) => {
    line.send(JSON.stringify({ event: EVENT + name, data, broadcast: { channel_id: data.channelID }, seq: line.next }))
    line.next += 1
    line.moved += 1
  })
}

/** The configuration of calls as this page reads it, with `more` in it; returns how to change that. */
export async function otherConfig(person, more) {
  let said = more
  await person.page.route('**/plugins/com.mattermost.calls/config', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, json: { ...await answer.json(), ...said } })
  })
  return (next) => { said = next }
}
