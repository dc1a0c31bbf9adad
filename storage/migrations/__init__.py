"""The schema as numbered steps, and what applies them."""
