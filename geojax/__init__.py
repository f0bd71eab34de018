"""From raw geophysical data to an evaluated, documented model, and again, cheaply, when the data grow."""

__version__ = "0.1.0"
