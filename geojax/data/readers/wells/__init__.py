"""Well logs: what a LAS file says, and whether it holds together."""
