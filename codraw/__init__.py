"""codraw: a self-hosted real-time collaboration server for diagrams."""

__version__ = "0.1.0"
