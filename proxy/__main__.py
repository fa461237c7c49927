"""`python -m proxy` is `donut`.

This file alone is exempt from the rule that imports point inward (config → proxy → providers → routing): it is not part of the
proxy but a second door to the composition root, and the fixed name of that door lies in this package. Nothing imports it.
"""

from __future__ import annotations

import importlib

if __name__ == "__main__":
    importlib.import_module("config.cli").main()
