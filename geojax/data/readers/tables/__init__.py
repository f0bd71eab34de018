"""Rows and cells of text, numbers and dates: what readers of tables, logs and lists share."""
