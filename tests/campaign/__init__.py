"""Faults on real processes: what is injected, what is recorded, and the judge of what came of it."""
