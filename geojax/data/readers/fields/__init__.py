"""Fields and pictures on a grid: what their readers share."""
