"""Series of magnetic observatories: what their readers share."""
