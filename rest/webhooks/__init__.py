"""Webhooks: who subscribed to what, and how events reach foreign servers."""
