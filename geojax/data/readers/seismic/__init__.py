"""Waveforms, stations and picks: what their readers share."""
