"""The conformance kit: the observable rules of the protocol, run by id against any running server.

It stands outside: it knows the published wire and the published addresses, and nothing of this server's insides.
"""
