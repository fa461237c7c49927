"""A day of agent traffic in seconds: the production router against a seeded fleet in virtual time.

`world` ties it together: `people` write requests, `exchange` does with them what `proxy/exchange.py` does, `upstream` is what is really out
there, `oracle` watches every event and believes nothing that the router says, `tally` counts. All chance comes from the seed, all time
from `events`: the same seed is the same day, to the last event (`trace`). After TigerBeetle's VOPR and trio's mock clock.
"""
