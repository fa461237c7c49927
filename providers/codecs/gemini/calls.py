"""Function calls and their responses: ids where Google's format has none, and one response for each call.

Google tells calls apart by their name and order; ids are optional, and a client may leave them out on one side. Everybody else demands
them.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from providers.codecs.conversation import Part, ToolCall, ToolResult


class Calls:
    """Goes through one conversation. The same conversation gets the same ids again, so that an upstream's cache knows its beginning."""

    def __init__(self, lost: MutableMapping[str, str]) -> None:
        self._lost = lost
        self._number = 0
        self._open: dict[str, tuple[str, str | None]] = {}
        """Ours of the calls that wait for their response, oldest first → (name, the client's id)."""
        self._ids: set[str] = set()
        self._answered: set[str] = set()
        """Clients' ids whose call has its response."""

    def made(self, name: str, id_: object, arguments: str, seal: str | None) -> ToolCall:
        given = id_ if isinstance(id_, str) and id_ else None
        self._number += 1
        ours = given or f"call_{self._number}"
        if ours in self._ids:  # some servers count anew in every answer
            ours = f"{ours}_{self._number}"
        self._ids.add(ours)
        if given is not None:
            self._answered.discard(given)
        self._open[ours] = (name, given)
        return ToolCall(ours, name, arguments, seal=seal)

    def answered(self, name: str, id_: object, parts: tuple[Part, ...], *, is_error: bool) -> ToolResult | None:
        """The result, told whose it is; None for a second response to one call (Gemini CLI sends them when it resumes, recorded)."""
        given = id_ if isinstance(id_, str) and id_ else None
        if given is not None and given in self._answered:
            self._lost["functionResponse"] = "a second response to one call: the first counts"
            return None
        ours = self._find(name, given)
        if ours is None:
            self._number += 1
            ours = given or f"call_{self._number}"
        else:
            del self._open[ours]
        if given is not None:
            self._answered.add(given)
        return ToolResult(ours, parts, is_error, name=name)

    def _find(self, name: str, given: str | None) -> str | None:
        """The open call that is meant: by id, else the oldest of its name."""
        if given is not None:
            _, theirs = self._open.get(given, ("", None))
            if theirs == given:  # what nearly every one is
                return given
            for ours, (_, theirs) in self._open.items():
                if theirs == given:
                    return ours
        return next((ours for ours, (called, theirs) in self._open.items() if called == name and (given is None or theirs is None)), None)
