// Ears and eyes inside the page under test: an init script, run before the page's own code.
//
// It wraps RTCPeerConnection to get hold of every remote track, and measures what really arrives:
// decoded audio through Web Audio, decoded frames through a canvas. It changes two requests of the
// page, both because the microphone is a file and the screen is a test pattern: audio processing is
// off (noise suppression removes a steady tone), and a shared screen is this very tab.
//
// Out: `window.ears`, used by harness/listen.mjs. Nothing here decides whether a test passes.

(() => {
  if (window.ears) return

  const FFT_SIZE = 8192 // 5.9 Hz a bin at 48 kHz
  const COLOURS = {
    red: [255, 0, 0], lime: [0, 255, 0], blue: [0, 0, 255], yellow: [255, 255, 0],
    magenta: [255, 0, 255], cyan: [0, 255, 255], black: [0, 0, 0], white: [255, 255, 255],
  }
  const peers = []
  const voices = []
  const watched = new Map()
  let context

  const Native = window.RTCPeerConnection
  window.RTCPeerConnection = class extends Native {
    constructor(...args) {
      super(...args)
      const peer = { connection: this, createdAt: Date.now(), connectedAt: 0 }
      peers.push(peer)
      this.addEventListener('connectionstatechange', () => {
        if (this.connectionState === 'connected' && !peer.connectedAt) peer.connectedAt = Date.now()
      })
      this.addEventListener('track', (event) => {
        if (event.track.kind === 'audio') attach(event, this)
      })
    }
  }

  const devices = navigator.mediaDevices
  if (devices) {
    const getUserMedia = devices.getUserMedia.bind(devices)
    devices.getUserMedia = (wish) => {
      const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }
      const audio = wish && wish.audio
        ? { ...(typeof wish.audio === 'object' ? wish.audio : {}), ...plain }
        : false
      return getUserMedia({ ...wish, audio })
    }
    const getDisplayMedia = devices.getDisplayMedia?.bind(devices)
    if (getDisplayMedia) devices.getDisplayMedia = (wish = {}) => getDisplayMedia({ ...wish, preferCurrentTab: true })
  }

  function attach({ track, streams }, connection) {
    context ??= new AudioContext({ sampleRate: 48_000 })
    void context.resume()
    const stream = new MediaStream([track])
    // Chromium hands a remote track to Web Audio only while an element plays it.
    const element = new Audio()
    element.muted = true
    element.srcObject = stream
    void element.play().catch(() => {})
    const analyser = context.createAnalyser()
    analyser.fftSize = FFT_SIZE
    analyser.smoothingTimeConstant = 0
    const source = context.createMediaStreamSource(stream)
    source.connect(analyser)
    voices.push({ track, connection, streamId: streams[0]?.id ?? '', element, source, analyser, since: Date.now() })
  }

  function rmsOf(samples) {
    let sum = 0
    for (const sample of samples) sum += sample * sample
    return Math.sqrt(sum / samples.length)
  }

  function spectrumPeak(analyser) {
    const bins = new Float32Array(analyser.frequencyBinCount)
    analyser.getFloatFrequencyData(bins)
    let best = 1
    for (let at = 1; at < bins.length - 1; at += 1) if (bins[at] > bins[best]) best = at
    // A parabola through the peak and its neighbours gives the frequency between the bins.
    const [left, top, right] = [bins[best - 1], bins[best], bins[best + 1]]
    const bend = left - 2 * top + right
    const shift = Number.isFinite(bend) && bend !== 0 ? (0.5 * (left - right)) / bend : 0
    return ((best + shift) * context.sampleRate) / FFT_SIZE
  }

  /** Power of one frequency in the samples as a share of all power there, 0..1 (Goertzel). */
  function shareOf(samples, hz) {
    const turn = 2 * Math.cos((2 * Math.PI * hz) / context.sampleRate)
    let [before, last, total] = [0, 0, 0]
    for (const sample of samples) {
      const now = sample + turn * last - before
      before = last
      last = now
      total += sample * sample
    }
    const power = last * last + before * before - turn * last * before
    return total > 0 ? power / (total * samples.length * 0.5) : 0
  }

  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

  /** Lets go of the voices of connections that are over: a page that comes back often would keep them all. */
  function forgetEnded() {
    for (let at = voices.length - 1; at >= 0; at -= 1) {
      const { track, connection, source, element } = voices[at]
      if (track.readyState === 'live' && connection.connectionState !== 'closed') continue
      source.disconnect()
      element.srcObject = null
      voices.splice(at, 1)
    }
  }

  /** The tones among these that are heard at this moment. */
  function heardOf(tones, samples) {
    const left = new Set(tones)
    for (const voice of voices) {
      // A short look of its own: the other one is long, and tells of what was.
      if (!voice.glance) {
        voice.glance = context.createAnalyser()
        voice.glance.fftSize = samples.length
        voice.source.connect(voice.glance)
      }
      voice.glance.getFloatTimeDomainData(samples)
      if (rmsOf(samples) <= 0.02) continue
      for (const hz of left) if (shareOf(samples, hz) > 0.6) left.delete(hz)
    }
    return tones.filter((hz) => !left.has(hz))
  }

  window.ears = {
    /** Each remote audio track over the last moment: energy (RMS, 1 = full scale) and main frequency. */
    async hear(ms = 300) {
      const sums = voices.map(() => ({ power: 0, hz: [] }))
      const rounds = Math.max(1, Math.round(ms / 100))
      const samples = new Float32Array(2048)
      for (let round = 0; round < rounds; round += 1) {
        await pause(100)
        voices.slice(0, sums.length).forEach(({ analyser }, at) => {
          analyser.getFloatTimeDomainData(samples)
          sums[at].power += rmsOf(samples) ** 2
          sums[at].hz.push(spectrumPeak(analyser))
        })
      }
      return sums.map(({ power, hz }, at) => {
        const { track, streamId, since } = voices[at]
        const middle = hz.sort((a, b) => a - b)[Math.floor(hz.length / 2)]
        return { track: track.id, streamId, since, state: track.readyState, rms: Math.sqrt(power / rounds), hz: middle }
      })
    },

    /** Follows one tone for `ms`: how many looks found it, and the longest time it was away. */
    async follow(hz, ms) {
      const samples = new Float32Array(2048)
      const end = performance.now() + ms
      let [looks, found, lastFound, longestGapMs] = [0, 0, performance.now(), 0]
      while (performance.now() < end) {
        await pause(25)
        const here = voices.some(({ analyser, track }) => {
          analyser.getFloatTimeDomainData(samples)
          return track.readyState === 'live' && rmsOf(samples) > 0.02 && shareOf(samples, hz) > 0.6
        })
        looks += 1
        const now = performance.now()
        if (here) {
          found += 1
          lastFound = now
        }
        longestGapMs = Math.max(longestGapMs, now - lastFound)
      }
      return { looks, found, longestGapMs: Math.round(longestGapMs) }
    },

    /**
     * Notes from now on when these tones are not heard, each from the first time that it is. What lies between
     * two looks that both found the tone is no gap, however late the second was: a busy machine looks late.
     */
    watch(tones) {
      const samples = new Float32Array(2048)
      tones.forEach((hz) => watched.set(hz, { lastHeard: 0, isAway: false, gaps: [] }))
      setInterval(() => {
        forgetEnded()
        const heard = heardOf(tones, samples)
        const now = Date.now()
        for (const hz of tones) {
          const note = watched.get(hz)
          if (!heard.includes(hz)) {
            note.isAway = true
            continue
          }
          if (note.isAway && note.lastHeard > 0) note.gaps.push([note.lastHeard, now])
          Object.assign(note, { lastHeard: now, isAway: false })
        }
      }, 40)
    },

    /** What `watch` noted: of each tone its gaps (`[from, until]` in epoch ms), when it was heard last, and whether it is away. */
    watched: () => Object.fromEntries(watched),

    /** The port of the server that the newest connection has its media from; undefined while none is connected. */
    async serverPort() {
      const connected = peers.filter(({ connection }) => connection.connectionState === 'connected')
      if (connected.length === 0) return undefined
      const reports = await connected.at(-1).connection.getStats()
      const pairs = [...reports.values()].filter(({ type, state }) => type === 'candidate-pair' && state === 'succeeded')
      const pair = pairs.find(({ nominated, selected }) => nominated || selected)
      return reports.get(pair?.remoteCandidateId)?.port
    },

    /**
     * When the tone is first heard on a track that came after `since` (epoch ms), in epoch ms;
     * undefined after `ms`. Tracks of a former call do not count: their analysers ring on.
     */
    async firstHeard(hz, ms, since) {
      const samples = new Float32Array(2048)
      const end = performance.now() + ms
      while (performance.now() < end) {
        const here = voices.some((voice) => {
          if (voice.since < since || voice.track.readyState !== 'live') return false
          const { analyser } = voice
          analyser.getFloatTimeDomainData(samples)
          return rmsOf(samples) > 0.02 && shareOf(samples, hz) > 0.6
        })
        if (here) return Date.now()
        await pause(10)
      }
      return undefined
    },

    /** When anything louder than `threshold` (RMS) is first heard, in epoch ms; undefined after `ms`. */
    async firstSound(threshold, ms) {
      const samples = new Float32Array(1024)
      const end = performance.now() + ms
      while (performance.now() < end) {
        const loud = voices.some(({ analyser }) => {
          analyser.getFloatTimeDomainData(samples)
          return rmsOf(samples) > threshold
        })
        if (loud) return Date.now()
        await pause(10)
      }
      return undefined
    },

    /** The frame a video shows: its size, frames decoded so far, the nearest colour of each quarter. */
    look(selector) {
      const found = document.querySelector(selector)
      const video = found instanceof HTMLVideoElement ? found : found?.querySelector('video')
      if (!video || !video.videoWidth) return undefined
      const canvas = document.createElement('canvas')
      canvas.width = video.videoWidth
      canvas.height = video.videoHeight
      const brush = canvas.getContext('2d')
      brush.drawImage(video, 0, 0)
      const colours = []
      for (const [x, y] of [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]) {
        const [red, green, blue] = brush.getImageData(canvas.width * x, canvas.height * y, 1, 1).data
        const distance = ([r, g, b]) => Math.hypot(r - red, g - green, b - blue)
        const names = Object.keys(COLOURS).sort((a, b) => distance(COLOURS[a]) - distance(COLOURS[b]))
        colours.push(distance(COLOURS[names[0]]) < 110 ? names[0] : `rgb(${red},${green},${blue})`)
      }
      const frames = video.getVideoPlaybackQuality().totalVideoFrames
      return { width: canvas.width, height: canvas.height, frames, colours }
    },

    /** Covers the page with four colours (clicks pass through) and a dot that keeps frames coming. */
    wear(colours) {
      document.getElementById('ears-pattern')?.remove()
      const cover = document.createElement('div')
      cover.id = 'ears-pattern'
      cover.setAttribute('aria-hidden', 'true')
      cover.style.cssText = 'position:fixed;inset:0;z-index:2147483647;pointer-events:none;display:grid;grid:1fr 1fr/1fr 1fr'
      for (const colour of colours) cover.append(Object.assign(document.createElement('div'), { style: `background:${colour}` }))
      const dot = document.createElement('div')
      dot.style.cssText = 'position:fixed;left:50%;top:50%;width:20px;height:20px;background:white'
      cover.append(dot)
      document.body.append(cover)
      if (colours.length === 0) return cover.remove()
      const timer = setInterval(() => {
        if (!dot.isConnected) return clearInterval(timer)
        dot.style.background = dot.style.background === 'white' ? 'black' : 'white'
      }, 100)
      return undefined
    },

    /** Begins ICE of the newest peer connection again, as browsers do when the network changes. */
    restartIce: () => peers.at(-1).connection.restartIce(),

    /** The ICE user name of the newest peer connection, as the server was told it last. */
    iceName: () => /a=ice-ufrag:(\S+)/.exec(peers.at(-1).connection.currentLocalDescription?.sdp ?? '')?.[1],

    /** The peer connections of this page so far: state and how long connecting took. */
    peers: () => peers.map(({ connection, createdAt, connectedAt }) => ({
      state: connection.connectionState,
      signalling: connection.signalingState,
      createdAt,
      connectedAt,
      connectMs: connectedAt ? connectedAt - createdAt : undefined,
    })),

    /**
     * Counters of the newest peer connection by kind and direction: packets and losses as counted
     * here, and what the server's RTCP said: `announced` of what it sent, `reported` (packets lost,
     * round trip in s) of what it got.
     */
    async counters() {
      const peer = peers.at(-1)
      const sums = {}
      if (!peer) return sums
      const reports = [...(await peer.connection.getStats()).values()]
      for (const report of reports) {
        if (report.type !== 'inbound-rtp' && report.type !== 'outbound-rtp') continue
        const key = `${report.kind} ${report.type === 'inbound-rtp' ? 'in' : 'out'}`
        sums[key] ??= { packets: 0, lost: 0, frames: 0 }
        sums[key].packets += report.packetsReceived ?? report.packetsSent ?? 0
        sums[key].lost += report.packetsLost ?? 0
        sums[key].frames += report.framesDecoded ?? report.framesEncoded ?? 0
      }
      for (const report of reports) {
        if (report.type === 'remote-outbound-rtp' && sums[`${report.kind} in`]) {
          sums[`${report.kind} in`].announced = report.packetsSent
        }
        if (report.type === 'remote-inbound-rtp' && sums[`${report.kind} out`]) {
          sums[`${report.kind} out`].reported = { lost: report.packetsLost, roundTrip: report.roundTripTime }
        }
      }
      return sums
    },
  }
})()
