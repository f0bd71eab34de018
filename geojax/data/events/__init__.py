"""Catalogues of earthquakes: their events, the cells of the Earth they fall in, and the rates there."""
