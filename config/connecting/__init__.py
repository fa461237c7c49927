"""Puts a harness's recipe into its config files, and takes it out again: the part of `donut connect` that touches a person's files.

Rules: everything in a file that donut did not come for stays as it is, byte for byte where the format allows; nothing is written that was
not shown; whatever is overwritten has a copy beside it first.
"""
