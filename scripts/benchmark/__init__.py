"""The benchmark behind `scripts/bench`: donut and its peers, one after the other, in front of the same mock upstream."""
