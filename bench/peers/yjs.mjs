// y-websocket's own server module behind the newest ws: documents in memory, deflate off, as its defaults are.

import http from 'node:http'
import { WebSocketServer } from 'ws'
import { setupWSConnection } from '@y/websocket-server/utils'

const server = http.createServer()
const sockets = new WebSocketServer({ server })
sockets.on('connection', setupWSConnection)
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))
