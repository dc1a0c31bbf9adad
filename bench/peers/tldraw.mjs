// tldraw sync with its own schema and memory store, a room for each path; `tldraw.mjs connect` prints a client's first message.

import { randomUUID } from 'node:crypto'
import http from 'node:http'
import { createTLSchema } from '@tldraw/tlschema'
import { TLSocketRoom, getTlsyncProtocolVersion } from '@tldraw/sync-core'
import { WebSocketServer } from 'ws'

const SHAPES = 10
const schema = createTLSchema()

function shape(n) {
  const group = { id: `shape:s${n}`, type: 'group', parentId: 'page:page', index: `a${n}`, props: {} }
  return schema.types.shape.create({ ...group, meta: { text: 'none' } })
}

function room(onSessionRemoved) {
  const made = new TLSocketRoom({ schema, onSessionRemoved })
  made.storage.transaction(store => {
    for (let n = 0; n < SHAPES; n++) store.set(`shape:s${n}`, shape(n))
  })
  return made
}

function serve(port) {
  const rooms = new Map()
  const server = http.createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket, request) => {
    const name = request.url
    if (!rooms.has(name)) rooms.set(name, room((empty, { numSessionsRemaining }) => {
      if (numSessionsRemaining > 0) return
      empty.close()
      rooms.delete(name)
    }))
    rooms.get(name).handleSocketConnect({ sessionId: randomUUID(), socket })
  })
  server.listen(port, '127.0.0.1', () => console.log('listening'))
}

if (process.argv[2] === 'connect') {
  process.stdout.write(JSON.stringify({
    type: 'connect',
    connectRequestId: 'c',
    lastServerClock: 0,
    protocolVersion: getTlsyncProtocolVersion(),
    schema: schema.serialize(),
  }))
} else {
  serve(Number(process.argv[2]))
}
