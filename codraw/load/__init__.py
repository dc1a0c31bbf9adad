"""The load tool: many simulated editors against any running server, and what came of it.

It stands outside and knows the published wire alone. What it holds a server to: nothing lost, nothing twice, nothing
out of order, and at the end every editor has what GET shows.
"""
