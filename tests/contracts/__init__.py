"""One suite per port, run for every adapter: each sentence of a port's docstring is a test."""
