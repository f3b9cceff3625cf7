// Tones for fake microphones: 48 kHz, 16 bit, mono WAV files, each one clear frequency.
//
// Chromium loops the file of `--use-file-for-fake-audio-capture` without a pause, so a tone file
// holds a whole number of periods: the loop has no click that an analyser would take for energy.

import fs from 'node:fs'
import path from 'node:path'

const SAMPLE_RATE = 48_000
const WAV_HEADER_BYTES = 44

/**
 * Frequencies given to the people of a story. Far enough apart for one glance at a spectrum (an
 * analyser bin is 5.9 Hz wide), and no one is a harmonic of another.
 */
export const TONES = { first: 440, second: 700, third: 1020, fourth: 1310 }

/**
 * Writes a tone and returns the path of the file.
 *
 * @param {string} directory where the file goes; made when missing
 * @param {number} hz whole number, so that one second holds whole periods
 * @param {{seconds?: number, level?: number}} [shape] `level` is the peak, 0..1
 */
export function writeTone(directory, hz, { seconds = 2, level = 0.4 } = {}) {
  if (!Number.isInteger(hz) || hz <= 0) {
    throw new RangeError(`tone \`${hz}\`: the frequency must be a whole number of Hz above 0`)
  }
  const samples = new Int16Array(SAMPLE_RATE * seconds)
  for (let at = 0; at < samples.length; at += 1) {
    samples[at] = Math.round(32_767 * level * Math.sin((2 * Math.PI * hz * at) / SAMPLE_RATE))
  }
  return writeWav(path.join(directory, `tone-${hz}.wav`), samples)
}

/** Writes a tone that comes and goes as syllables do: the server takes it for speech, a steady one for noise. */
export function writeSyllables(directory, hz, seconds = 2) {
  const samples = new Int16Array(SAMPLE_RATE * seconds)
  for (let at = 0; at < samples.length; at += 1) {
    const loud = Math.max(0, Math.sin((2 * Math.PI * 2 * at) / SAMPLE_RATE)) ** 2
    samples[at] = Math.round(32_767 * 0.4 * loud * Math.sin((2 * Math.PI * hz * at) / SAMPLE_RATE))
  }
  return writeWav(path.join(directory, `syllables-${hz}.wav`), samples)
}

/** Writes a file of silence: the microphone of a person who only listens. */
export function writeSilence(directory, seconds = 1) {
  return writeWav(path.join(directory, 'silence.wav'), new Int16Array(SAMPLE_RATE * seconds))
}

/** Writes interleaved mono samples as a WAV file at 48 kHz and returns its path. */
export function writeWav(file, samples) {
  const data = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)
  const header = Buffer.alloc(WAV_HEADER_BYTES)
  header.write('RIFF', 0, 'latin1')
  header.writeUInt32LE(WAV_HEADER_BYTES - 8 + data.length, 4)
  header.write('WAVEfmt ', 8, 'latin1')
  header.writeUInt32LE(16, 16) // size of the format block
  header.writeUInt16LE(1, 20) // PCM
  header.writeUInt16LE(1, 22) // channels
  header.writeUInt32LE(SAMPLE_RATE, 24)
  header.writeUInt32LE(SAMPLE_RATE * 2, 28) // bytes a second
  header.writeUInt16LE(2, 32) // bytes a frame
  header.writeUInt16LE(16, 34) // bits a sample
  header.write('data', 36, 'latin1')
  header.writeUInt32LE(data.length, 40)
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, Buffer.concat([header, data]))
  return file
}
