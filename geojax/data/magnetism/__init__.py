"""Series of the magnetic field and of its storms."""
