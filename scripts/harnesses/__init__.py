"""`scripts/clients`: the real harnesses, installed from npm, do a task with tools through a real donut, whatever its upstream speaks.

`far_end/` is the upstream: it follows a script, speaks one dialect, and refuses what the vendor would refuse. `known/` has one file per
harness: where it comes from, how it is configured, where its last word is found. `case.py` puts one harness, one donut and one far end
together; `faults.py` says what each harness must do when the upstream fails; `report.py` prints.
"""
