// Records what Yjs clients send: `record.mjs FOLDER SENDERS FRAMES` writes FOLDER/0.frames, 1.frames …, one file a sender.
//
// Each frame, behind its length in 4 bytes (big-endian), is a y-protocols message `sync, update`: the sender sets one of
// its own keys of a shared map to a new value, about 400 bytes. Senders never touch each other's keys, so the frames of
// one are valid whatever the others have sent, as long as its own come in order.

import { closeSync, openSync, writeSync } from 'node:fs'
import * as encoding from 'lib0/encoding'
import { writeUpdate } from 'y-protocols/sync'
import * as Y from 'yjs'

const KEYS = 16
const SYNC = 0
const STAMP = '~T0000000000000000'
const TEXT = 'x'.repeat(325)

function frame(update) {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, SYNC)
  writeUpdate(encoder, update)
  const message = Buffer.from(encoding.toUint8Array(encoder))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(message.length)
  return [length, message]
}

function record(path, sender, count) {
  const document = new Y.Doc()
  document.clientID = 1_000_000_000 + sender
  const cells = document.getMap('cells')
  let parts = []
  document.on('update', update => parts.push(...frame(update)))
  const file = openSync(path, 'w')
  for (let n = 0; n < count; n++) {
    cells.set(`${sender}-${n % KEYS}`, { x: n, y: sender, t: STAMP, label: TEXT })
    if (parts.length >= 2000 || n === count - 1) {
      writeSync(file, Buffer.concat(parts))
      parts = []
    }
  }
  closeSync(file)
}

const [folder, senders, count] = process.argv.slice(2)
for (let sender = 0; sender < Number(senders); sender++) record(`${folder}/${sender}.frames`, sender, Number(count))
