"""Pictures and the circles on them."""
