"""Signing in: OAuth 2.0 towards our clients."""
