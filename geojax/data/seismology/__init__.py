"""Three-component records of earthquakes: windows, onsets, mixtures with noise, spectra."""
