"""Tells what a person said from what the harness put around it in the same message: reminders, the environment, observations of tools.

By the shape of the marks (an element named after what it is, at an edge of the text), not by any harness's sentences. A mark in the
middle of a text stays where it is: there it may be what the person is talking about.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"\s*<([A-Za-z][\w.:-]{0,60})(?:\s[^<>]{0,300})?>")
_CLOSING = re.compile(r"</([A-Za-z][\w.:-]{0,60})>\s*\Z")
_CLOSING_WINDOW = 120
"""The longest closing mark and the blanks behind it that are looked for."""
_INSTRUCTION_FILE = re.compile(r"\s*#+ [\w./-]{0,80}\.md\b[^\n]{0,300}\n+(?=\s*<)")
"""`# AGENTS.md instructions for /path` and the element below it: the project's standing orders, sent as if a person said them."""
_SEPARATOR = re.compile(r"[_.:-]+")

_ABOUT_THE_SETTING = frozenset({
    "context", "details", "environment", "file", "files", "ide", "instructions", "memories", "memory", "metadata", "mode", "notice",
    "permissions", "plugins", "reminder", "reminders", "rules", "skills", "status", "system", "tab", "workspace",
})  # fmt: skip
"""One of these in a compound name (`environment_context`, `system-reminder`) makes an element scaffolding. Alone they do not: people and
retrieval programs write `<context>` around what they ask about."""
_SPOKEN = frozenset({"task", "feedback", "query", "question", "request", "message", "prompt", "input", "user"})
"""An element whose name is made of these only holds what a person said: the mark goes, the content stays."""
_OBSERVED = frozenset({
    "error", "exit", "notification", "observation", "output", "response", "result", "results", "returncode", "stderr", "stdout",
})  # fmt: skip
"""An element with one of these in its name is what a tool said, in the agents that write tool calls as text."""

_OBSERVATION = re.compile(
    r"\s*(?:"
    r"\[[^\[\]\n]{1,300}\]\s*(?:result|output|response|error)\b"  # [read_file for 'a.py'] Result:
    r"|\[(?:tool|function|command)[ _-]?(?:call[ _-]?)?(?:result|output|response|error)\b"  # [tool result]
    r"|\[error\]"
    r"|observation:\s"
    r"|(?:tool|command|execution|function|shell)[ _-](?:results?|output|response)\b[^\n]{0,80}:\s"  # EXECUTION RESULT of [bash]:
    r")",
    re.IGNORECASE,
)
_BLOCKS = 8
"""Marks taken off at each end of one text; a message with more is not worth the time."""


def spoken(text: str) -> str:
    """What a person said in `text`: scaffolding at its edges is left out. Empty when there is nothing else."""
    start, end = 0, len(text)
    for _ in range(_BLOCKS):
        after = _skip_opening(text, start)
        if after is None:
            break
        start = after
    for _ in range(_BLOCKS):
        before = _skip_closing(text, start, end)
        if before is None:
            break
        end = before
    kept = text if (start, end) == (0, len(text)) else text[start:end].strip()
    return kept if kept and not kept.isspace() else ""


def _skip_opening(text: str, start: int) -> int | None:
    """The index behind the mark or block that `text[start:]` begins with; None where it begins with neither."""
    orders = _INSTRUCTION_FILE.match(text, start)
    mark = _OPENING.match(text, orders.end() if orders else start)
    if mark is None:
        return None
    words = _words(mark[1])
    if orders is None and words <= _SPOKEN:
        return mark.end()
    if orders is None and not _is_setting(words):
        return None
    closing = text.find(f"</{mark[1]}>", mark.end())
    return None if closing < 0 else closing + len(mark[1]) + 3


def _skip_closing(text: str, start: int, end: int) -> int | None:
    """The index before the mark or block that `text[start:end]` ends with; None where it ends with neither."""
    mark = _CLOSING.search(text, max(start, end - _CLOSING_WINDOW), end)
    if mark is None:
        return None
    words = _words(mark[1])
    if words <= _SPOKEN:
        return mark.start()
    if not _is_setting(words):
        return None
    opening = text.rfind(f"<{mark[1]}", start, mark.start())
    return None if opening < 0 else opening


def _words(name: str) -> set[str]:
    return set(_SEPARATOR.split(name.lower()))


def _is_setting(words: set[str]) -> bool:
    return len(words) > 1 and not words.isdisjoint(_ABOUT_THE_SETTING)


def is_observation(text: str) -> bool:
    """Does `text`, sent with the role of a user, read like what a tool said? Only its first line is looked at."""
    mark = _OPENING.match(text)
    if mark is not None:
        return not _words(mark[1]).isdisjoint(_OBSERVED)
    return _OBSERVATION.match(text) is not None
