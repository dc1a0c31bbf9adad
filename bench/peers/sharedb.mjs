// ShareDB with json0, its memory store and its memory pub/sub; the document named by the path is there before anybody reads.

import http from 'node:http'
import { WebSocketServer } from 'ws'
import ShareDB from 'sharedb'
import WebSocketJSONStream from '@teamwork/websocket-json-stream'

const backend = new ShareDB()
const owner = backend.connect()
const created = new Map()

function create(name) {
  const document = owner.get('diagrams', name)
  return new Promise((resolve, reject) => document.create({}, error => (error ? reject(error) : resolve())))
}

const server = http.createServer()
// Operations that came in one packet cross each other in the backend if they are submitted in one tick: all but the
// first are tried again, and each sender is told some twice.
const sockets = new WebSocketServer({ server, allowSynchronousEvents: false })
sockets.on('connection', async (socket, request) => {
  // Made before the first await: what arrives meanwhile waits in the stream.
  const stream = new WebSocketJSONStream(socket)
  const name = request.url.slice(1)
  if (!created.has(name)) created.set(name, create(name))
  await created.get(name)
  backend.listen(stream, request)
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))
