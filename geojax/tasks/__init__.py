"""Tasks: one file each, ending in TASK."""
