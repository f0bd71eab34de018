"""From raw files to normalized parts: sources, readers, parts, splits, scaling, windows."""
