"""The scripted upstream: one dialect at a time, as its vendor speaks it."""
