"""The ledger's way into a process: the shipped snapshot, a person's overrides, the last good state of the feeds; joined into one book."""
