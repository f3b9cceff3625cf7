// In the page, before its own scripts: a peer connection that connects to nothing, and a count of frames.
/* global window, requestAnimationFrame, performance */

window.RTCPeerConnection = class {
  connectionState = 'new'
  signalingState = 'stable'
  localDescription = null
  remoteDescription = null

  createDataChannel() {
    this.channel = { readyState: 'open', send() {} }
    return this.channel
  }

  async setLocalDescription() {
    this.localDescription = { type: 'offer', sdp: 'v=0\r\n' }
    setTimeout(() => {
      this.connectionState = 'connected'
      this.onconnectionstatechange?.()
      this.channel.onopen?.()
    }, 50)
  }

  async setRemoteDescription() {}
  async addIceCandidate() {}
  async getStats() {
    return new Map()
  }

  close() {}
}

/** Times between frames, in ms, for so long. */
window.watchFrames = (ms) => new Promise((resolve) => {
  const gaps = []
  let before = performance.now()
  const end = before + ms
  const look = (now) => {
    gaps.push(now - before)
    before = now
    if (now < end) requestAnimationFrame(look)
    else resolve(gaps.slice(1))
  }
  requestAnimationFrame(look)
})
