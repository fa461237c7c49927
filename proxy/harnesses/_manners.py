"""What an answer that refuses tells a harness about trying again, in headers that it listens to (reference/clients.md, Faults)."""

from __future__ import annotations

from providers.dialects import ErrorReply
from providers.transport.port import Headers
from proxy.errors import retry_after_header
from proxy.harnesses import Harness
from routing.facts import FAILURES, FailureKind

RETRY_AFTER_S = 5.0
"""For a 429 of which nobody knows how long it lasts: where a harness gives up at once without a number, a guess is kinder."""
_PAST_HELP = frozenset(FAILURES[kind].error_code for kind in (FailureKind.UNAUTHORIZED, FailureKind.QUOTA_EXHAUSTED))
"""A person has to act first. Claude Code and the SDKs would otherwise ask ten times in three minutes: to them it is a 502 like others."""


def retry_headers(reply: ErrorReply, harness: Harness | None) -> Headers:
    """`retry-after`, and `x-should-retry: false` where another try can not help. `harness` None: nobody who is known."""
    told = retry_after_header(reply)
    if harness is not None and not told and reply.status == 429 and harness.temper.needs_retry_after_on_429:
        told = [(b"retry-after", b"%d" % RETRY_AFTER_S)]
    return [*told, (b"x-should-retry", b"false")] if reply.code in _PAST_HELP else told
