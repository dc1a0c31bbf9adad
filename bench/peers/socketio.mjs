// Socket.IO as a relay of text: what one sends goes to everybody else in the room, unread.

import http from 'node:http'
import { Server } from 'socket.io'

const server = http.createServer()
const relay = new Server(server, { transports: ['websocket'], serveClient: false })
relay.on('connection', socket => {
  socket.on('join', room => {
    socket.join(room)
    socket.on('op', operation => socket.to(room).emit('op', operation))
    socket.emit('joined')
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'))
