"""Which headers cross the proxy. Upstream: an allow-list, since a header can choose an account or a URL at the next gateway.
Downstream: a deny-list, since clients read vendor headers that nobody has listed yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter

from providers.transport.port import Headers

TO_UPSTREAM = frozenset(
    {
        b"accept",
        b"idempotency-key",
        b"openai-beta",
        b"originator",
        b"session-id",
        b"session_id",
        b"thread-id",
        b"traceparent",
        b"tracestate",
        b"user-agent",
        b"http-referer",  # OpenRouter shows who asked
        b"x-title",
        b"x-client-request-id",
        b"x-conversation-id",
        b"x-parent-session-id",
        b"x-session-affinity",
        b"x-session-id",
    }
)
TO_UPSTREAM_PREFIXES = (b"x-stainless-", b"x-codex-", b"x-openai-", b"x-claude-code-")

NOT_DOWNSTREAM = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",  # donut may have taken a chunk out; it writes its own
        b"set-cookie",  # load-balancer cookies of our account are nobody else's
        b"set-cookie2",
        b"alt-svc",  # would send the client past donut
        b"strict-transport-security",
        b"x-request-id",  # donut's own goes there; the upstream's is in the journal
        b"server",
        b"date",
        b"authorization",  # an upstream that echoes what it was sent would show our key
        b"api-key",
        b"x-api-key",
        b"x-goog-api-key",
    }
)


def to_upstream(headers: Headers, more: frozenset[bytes], defaults: tuple[tuple[bytes, bytes], ...] = ()) -> Headers:
    """The client's headers that an upstream may see. `more` are names that its provider kind wants besides, `defaults` what the kind says
    where the client says nothing."""
    crossing = [(name, value) for name, value in headers if _crosses(name) or name in more]
    if defaults:
        said = {name for name, _ in crossing}
        crossing += [header for header in defaults if header[0] not in said]
    return crossing


@lru_cache(maxsize=1024)
def _crosses(name: bytes) -> bool:
    return name in TO_UPSTREAM or name.startswith(TO_UPSTREAM_PREFIXES)


def header_text(text: str) -> bytes:
    """Words as a header value: names in them come from upstreams and clients, and a header takes visible ASCII only."""
    return "".join(char if " " <= char <= "~" else "?" for char in text.replace("→", "->")).encode()


def to_client(headers: Headers) -> Headers:
    """The upstream's headers that a client may see."""
    return [header for header in headers if _is_told(header[0])]


def _is_told(name: bytes) -> bool:
    return name not in NOT_DOWNSTREAM and not name.startswith(b"x-donut-")  # an upstream may be a donut itself


class AnswerHead:
    """What all heads of answers have in common that have the same names in the same order. An upstream sends few kinds of them, vendors
    20 names and more: so no name is judged again with every answer."""

    __slots__ = ("is_encoded", "lines", "request_id_at", "tells_limits", "told")

    def __init__(self, names: tuple[bytes, ...], marks: frozenset[bytes]) -> None:
        """`marks` are names that tell of the upstream's limits."""
        told = [at for at, name in enumerate(names) if _is_told(name)]
        self.lines = b"".join(b"%b: %%b\r\n" % names[at].replace(b"%", b"%%") for at in told)
        """The format of the lines that a client may see, for what `told` picks."""
        self.told: Callable[[tuple[bytes, ...]], object] = itemgetter(*told) if told else _none_of
        """Of the values in the order of the names, those of `lines`."""
        self.request_id_at = next((names.index(name) for name in (b"x-request-id", b"request-id") if name in names), -1)
        """Where the upstream's own id of the request stands; below 0 where it says none."""
        self.is_encoded = b"content-encoding" in names
        self.tells_limits = not marks.isdisjoint(names)


def _none_of(values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return values[:0]
