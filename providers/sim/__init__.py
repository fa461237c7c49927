"""The simulated fleet: placeholder models that answer in-process, so that donut can be tried, shown and tested with nothing installed."""
