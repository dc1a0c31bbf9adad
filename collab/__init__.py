"""Live diagrams: rooms, their tasks, and the WebSocket edge."""
