"""What basins receive and discharge, as whole daily series."""
