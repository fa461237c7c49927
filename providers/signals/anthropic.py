"""Anthropic: an API key's limits or a subscription's, whichever the account has."""

from __future__ import annotations

from providers.signals import anthropic_api, anthropic_unified, together

SIGNALS = together("anthropic", anthropic_api.SIGNALS, anthropic_unified.SIGNALS)
