// A screen for a browser that has none: what `ears.wear` shows is painted on a canvas, and
// `getDisplayMedia` answers with the canvas as a stream. An init script, run after ears.js.
//
// The frames are encoded and sent like those of a captured screen; only the capture is not real.

(() => {
  const devices = navigator.mediaDevices
  if (!devices) return // about:blank
  const EVERY_MS = 50
  const [WIDTH, HEIGHT] = [1280, 720]

  devices.getDisplayMedia = async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT })
    const brush = canvas.getContext('2d', { alpha: false })
    const paint = () => {
      const [topLeft, topRight, bottomLeft, bottomRight, dot] = document.getElementById('ears-pattern')?.children ?? []
      const [x, y] = [WIDTH / 2, HEIGHT / 2]
      for (const [part, left, top] of [[topLeft, 0, 0], [topRight, x, 0], [bottomLeft, 0, y], [bottomRight, x, y]]) {
        brush.fillStyle = part?.style.background || 'gray'
        brush.fillRect(left, top, x, y)
      }
      brush.fillStyle = dot?.style.background || 'gray'
      brush.fillRect(x - 10, y - 10, 20, 20)
    }
    paint()
    const stream = canvas.captureStream()
    const [track] = stream.getVideoTracks()
    const timer = setInterval(() => (track.readyState === 'live' ? paint() : clearInterval(timer)), EVERY_MS)
    return stream
  }
})()
