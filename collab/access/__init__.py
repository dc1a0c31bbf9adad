"""Who somebody is, for both edges: access tokens, live sockets, rates."""
