"""What is known about models: entries, prices and benchmarks, each figure with its source. Values in, values out.

Read in this order: `metrics` (which figures there are), `readings` (one figure as one source gives it), `sheet` (all that one source said),
`merge` (who wins), `book` (what the router asks), `names` and `resolver` (who is meant), `cost` (what one answer costs), `pareto`.
"""
