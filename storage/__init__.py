"""The adapters of the store, the bus and presence: everything with a driver, and their twins in memory."""
