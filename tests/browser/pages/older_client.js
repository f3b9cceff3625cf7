// A client of an older generation, as a page: the npm build of calls-common 0.27.2 does the WebRTC
// (text `ping` on the data channel, no signalling there), and the little around it that every
// client has is written here: challenge authentication, actions, SDP as MessagePack of zlib bytes.
//
// Bundled by harness/older_client.mjs; used through `window.older`. The ears of pages/ears.js hear
// what it hears.

import { encode } from '@msgpack/msgpack'
import { RTCPeer } from '@mattermost/calls-common'
import { zlibSync } from 'fflate'

const PREFIX = 'custom_com.mattermost.calls_'
const quiet = { logDebug() {}, logInfo() {}, logWarn() {}, logErr: (...words) => older.errors.push(words.join(' ')) }

const older = {
  /** Every frame of the server, parsed, oldest first. */
  frames: [],
  errors: [],
  textPongs: 0,
  connectionId: '',
  connected: false,
}
window.older = older

let socket
let peer
let sequence = 1
let microphone

function say(action, data, binary = false) {
  const message = { action: PREFIX + action, seq: sequence, data }
  sequence += 1
  socket.send(binary ? encode(message) : JSON.stringify(message))
}

function sendDescription(description) {
  const text = JSON.stringify({ type: description.type, sdp: description.sdp })
  say('sdp', { data: zlibSync(new TextEncoder().encode(text)) }, true)
}

function countPongs() {
  const channel = peer.dc
  channel.addEventListener('message', ({ data }) => {
    if (data === 'pong') older.textPongs += 1
  })
}

function connectMedia() {
  peer = new RTCPeer({ iceServers: [], logger: quiet })
  countPongs()
  peer.on('offer', sendDescription)
  peer.on('answer', sendDescription)
  peer.on('candidate', (candidate) => say('ice', { data: JSON.stringify(candidate) }))
  peer.on('connect', () => { older.connected = true })
  peer.on('close', () => { older.connected = false })
  peer.on('error', (error) => older.errors.push(String(error)))
  peer.on('stream', () => {})
}

function receive({ data }) {
  const frame = JSON.parse(data)
  older.frames.push(frame)
  const mine = frame.data?.connID === older.connectionId
  switch (frame.event) {
    case 'hello':
      older.connectionId = frame.data.connection_id
      say('join', { channelID: older.channelId })
      break
    case `${PREFIX}join`:
      if (mine) connectMedia()
      break
    case `${PREFIX}signal`:
      if (mine) peer.signal(frame.data.data).catch((error) => older.errors.push(String(error)))
      break
    case `${PREFIX}error`:
      if (mine) older.errors.push(frame.data.data)
      break
    default:
  }
}

/** Joins the call of a channel with a session token. */
older.join = (channelId, token) => {
  older.channelId = channelId
  socket = new WebSocket(`${location.origin.replace('http', 'ws')}/api/v4/websocket?connection_id=&sequence_number=0`)
  socket.addEventListener('message', receive)
  socket.addEventListener('open', () => {
    socket.send(JSON.stringify({ action: 'authentication_challenge', seq: sequence, data: { token } }))
    sequence += 1
  })
}

/** Opens the microphone the first time, and puts its track back later. */
older.unmute = async () => {
  if (microphone) {
    peer.replaceTrack(microphone.id, microphone)
  } else {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true })
    microphone = stream.getAudioTracks()[0]
    await peer.addTrack(microphone, stream)
  }
  say('unmute')
}

older.leave = () => {
  say('leave')
  peer.destroy()
  socket.close()
}
