"""The Autobahn test suite on the server's WebSocket protocol. It runs under Python 2.7 only, where there is one."""
