// Measures a finished media file with ffprobe and ffmpeg: streams, length, energy over time, pictures.

import { execFileSync } from 'node:child_process'

const RATE = 8_000 // enough to tell speech from silence
const OUTPUT_LIMIT = 512 * 1024 * 1024

/**
 * Streams and length of a media file.
 *
 * @returns {{seconds: number, streams: {kind: string, codec: string, seconds: number, width?: number, height?: number}[]}}
 */
export function probe(file) {
  const text = run('ffprobe', ['-v', 'error', '-of', 'json', '-show_format', '-show_streams', file])
  const { format, streams } = JSON.parse(text.toString())
  return {
    seconds: Number(format.duration),
    streams: streams.map((stream) => ({
      kind: stream.codec_type,
      codec: stream.codec_name,
      seconds: Number(stream.duration),
      width: stream.width,
      height: stream.height,
    })),
  }
}

/** Energy (RMS, 1 = full scale) of the mixed audio in steps of `step` seconds from the beginning. */
export function energy(file, step = 0.25) {
  const pcm = run('ffmpeg', ['-v', 'error', '-i', file, '-vn', '-ac', '1', '-ar', String(RATE), '-f', 's16le', '-'])
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, Math.floor(pcm.byteLength / 2))
  const size = Math.round(RATE * step)
  const steps = []
  for (let from = 0; from < samples.length; from += size) {
    const part = samples.subarray(from, from + size)
    let sum = 0
    for (const sample of part) sum += (sample / 32_768) ** 2
    steps.push(Math.sqrt(sum / part.length))
  }
  return steps
}

/** Strength (amplitude, 1 = full scale) of one frequency of the mixed audio, in steps of so many seconds. */
export function tone(file, hz, step = 1) {
  const pcm = run('ffmpeg', ['-v', 'error', '-i', file, '-vn', '-ac', '1', '-ar', String(RATE), '-f', 's16le', '-'])
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, Math.floor(pcm.byteLength / 2))
  const size = Math.round(RATE * step)
  const steps = []
  for (let from = 0; from + size <= samples.length; from += size) {
    let [real, imaginary] = [0, 0]
    for (let at = 0; at < size; at += 1) {
      const angle = (2 * Math.PI * hz * at) / RATE
      real += (samples[from + at] / 32_768) * Math.cos(angle)
      imaginary += (samples[from + at] / 32_768) * Math.sin(angle)
    }
    steps.push((2 * Math.hypot(real, imaginary)) / size)
  }
  return steps
}

/** Seconds in which the audio is louder than `threshold`, and the first and last such moment. */
export function loudSpan(file, threshold = 0.01, step = 0.25) {
  const loud = energy(file, step).flatMap((rms, at) => (rms > threshold ? [at * step] : []))
  return { seconds: loud.length * step, first: loud[0], last: loud.length ? loud.at(-1) + step : undefined }
}

/** One frame as RGB: `{width, height, pixel(x, y)}` with x and y as shares of the picture, 0..1. */
export function frameAt(file, seconds) {
  const { width, height } = probe(file).streams.find((stream) => stream.kind === 'video')
  const rgb = run('ffmpeg', ['-v', 'error', '-ss', String(seconds), '-i', file, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'])
  if (rgb.length < width * height * 3) throw new Error(`\`${file}\` has no frame at ${seconds} s`)
  return {
    width,
    height,
    pixel(x, y) {
      const at = (Math.floor(y * (height - 1)) * width + Math.floor(x * (width - 1))) * 3
      return [...rgb.subarray(at, at + 3)]
    },
  }
}

function run(program, args) {
  try {
    return execFileSync(program, args, { maxBuffer: OUTPUT_LIMIT, stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error(`\`${program}\` is not installed: the recording tests need Debian's ffmpeg package`)
    throw new Error(`${program} ${args.join(' ')}: ${error.stderr?.toString().trim() || error.message}`)
  }
}
