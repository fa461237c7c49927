"""What is left of every limit: rolling windows, what open attempts hold of them, what providers report."""
