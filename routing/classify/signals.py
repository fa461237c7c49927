"""What the steps of a turn under way say about how it goes: does it look, change, check; does it fail, repeat itself, or land?

Exit codes, repeated calls and the kinds of tools are the same in every language; words for errors only add.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from routing.classify.excerpt import Step


class Action(Enum):
    """What a tool call does."""

    LOOK = "look"
    """Reads, lists, searches: nothing changes."""
    EDIT = "edit"
    CHECK = "check"
    """Runs tests, a build, a linter."""
    REVIEW = "review"
    """Looks over or hands in what was changed."""
    OTHER = "other"


class Signals(NamedTuple):
    steps: int
    looks: int
    edits: int
    """Calls that changed a file and did not fail."""
    edited_chars: int
    """How much these wrote, as far as the excerpt shows."""
    error_streak: int
    """Calls that failed in a row, up to now."""
    repeats: int
    """How often the last call was made before in just the same way, lately."""
    looks_in_a_row: int
    """Looks since anything else happened, up to now."""
    is_landing: bool
    """A change is in, and was checked or looked over since without an error: what is left is handing it in."""


REPEAT_WINDOW = 8
"""Calls back in which the same call counts as repeated; agents do read a file again after they changed it."""

_WORD = re.compile(r"[a-z]+|[A-Z][a-z]*")
_SHELLS = frozenset({"bash", "shell", "exec", "execute", "terminal", "command", "run", "powershell", "console", "process", "sh", "zsh"})
_LOOKS = frozenset(
    {"read", "view", "list", "ls", "glob", "grep", "search", "find", "fetch", "open", "cat", "tree", "browse", "get", "show", "query"}
)
_EDITS = frozenset({"edit", "write", "patch", "replace", "insert", "apply", "create", "update", "delete", "modify", "diff", "multiedit"})
_REVIEWS = frozenset({"submit", "finish", "complete", "completion", "done", "commit"})
_WAITS = frozenset({"wait", "poll", "status", "output", "sleep", "todo", "plan", "think"})
"""Tools that are rightly called again and again with the same arguments."""

_LEADING = re.compile(r'\s*\{?\s*(?:"?(?:command|cmd|script|code|input)"?\s*[:=]\s*\[?"?)?\s*(?:cd [^&;|\n]{1,200}(?:&&|;)\s*)?(\S{0,40})')
_EDIT_MARKS = (">", "sed -i", "patch", "apply", "tee ", "write", "open(")
"""One of these stands in every command that `_SHELL_EDIT` finds; substring searches are quicker than that pattern."""
_SHELL_EDIT = re.compile(
    r"\bsed -i|\bapply_patch\b|\bgit apply\b|\bpatch -p\d|\btee (?!/dev)\S"
    r"|\b(?:cat|echo|printf)\b[^|\n]{0,160}[^2&]>{1,2}\s*(?!/dev)[\w./~\"'$]"
    r"|write_text\(|\.write\(|\bopen\([^)\n]{0,80}['\"\\]+[wa]\b"
)
_SHELL_CHECK = re.compile(
    r"\b(?:pytest|py\.test|unittest|runtests|py_compile)\b|(?:^|[;&|\"'/]|-m)\s*(?:"
    r"tox|nox|jest|vitest|mocha|ctest|rspec|phpunit|ruff|mypy|eslint|tsc|flake8|pylint|make|mvn|gradlew?|swift test|npx \w+"
    r"|cargo (?:test|check|build|clippy)|go (?:test|build|vet)|(?:npm|pnpm|yarn|bun) (?:test|run|t)|dotnet (?:test|build)"
    r")(?=[\s\"']|$)"
)
_REVIEW_MARKS = ("git ", ".patch", ".diff", "patch.", "submit", "SUBMIT")
_SHELL_REVIEW = re.compile(r"\bgit (?:diff|add|commit|push|show|format-patch)\b|\.(?:patch|diff)\b|\bpatch\.txt\b|submit|SUBMIT")
_SHELL_LOOKS = frozenset({
    "ls", "cat", "head", "tail", "sed", "grep", "rg", "find", "fd", "tree", "wc", "pwd", "file", "stat", "nl", "less", "awk", "which",
    "date", "git", "egrep", "ag", "du", "env", "type", "dir", "get-content", "get-childitem", "select-string",
})  # fmt: skip

_EXIT = re.compile(
    r"(?:return ?code|exit(?:ed)?(?:[ _-]?(?:code|status)| with (?:code|status|exit code)))\W{0,12}(-?\d{1,4})", re.IGNORECASE
)
_ERROR = re.compile(
    r"^\W{0,4}(?:error|fatal|traceback|panic|exception|uncaught|invalid|failed|failure)\b|^\w*(?:Error|Exception)\b"
    r"|\"status\":\s*\"error\"|\bENOENT\b|no such file|command not found|permission denied|not recognized as|syntax error"
    r"|\b[1-9]\d* (?:failed|failing|failures?|errors?)\b|--- FAIL|did not match",
    re.IGNORECASE | re.MULTILINE,
)
_EDGE = 240
"""Characters at each end of a result in which its verdict stands."""


@lru_cache(maxsize=512)
def tool_words(name: str) -> frozenset[str]:
    """The words a tool's name is made of: `run_shell_command`, `RunShellCommand`. Remembered, for a loop calls the same few tools."""
    return frozenset(word.lower() for word in _WORD.findall(name))


def acts(name: str) -> bool:
    """Does the tool of this name change things: a shell, an editor?"""
    words = tool_words(name)
    return not words.isdisjoint(_SHELLS) or not words.isdisjoint(_EDITS)


def action_of(step: Step) -> Action:
    """What a call does, by the tool's name; for a shell by its command."""
    action = _action_of_tool(step.tool)
    if action is None:
        return _shell_action(step.arguments)
    if action is Action.EDIT and "view" in step.arguments[:60]:
        return Action.LOOK  # one editor tool for all: what it is told to do stands first in its arguments
    return action


@lru_cache(maxsize=512)
def _action_of_tool(name: str) -> Action | None:
    """What a tool does by its name alone; None for a shell, which does anything."""
    words = tool_words(name)
    if not words.isdisjoint(_SHELLS):
        return None
    for named, action in ((_REVIEWS, Action.REVIEW), (_EDITS, Action.EDIT), (_LOOKS, Action.LOOK)):
        if not words.isdisjoint(named):
            return action
    return Action.OTHER


def _shell_action(command: str) -> Action:
    if any(mark in command for mark in _EDIT_MARKS) and _SHELL_EDIT.search(command):
        return Action.EDIT
    leading = _LEADING.match(command)
    is_look = leading is not None and leading[1].lower().strip("\"'\\,") in _SHELL_LOOKS
    if not is_look and _SHELL_CHECK.search(command):
        return Action.CHECK
    if any(mark in command for mark in _REVIEW_MARKS) and _SHELL_REVIEW.search(command):
        return Action.REVIEW
    return Action.LOOK if is_look else Action.OTHER


def has_failed(step: Step, action: Action) -> bool:
    """Did the call fail? The wire format's word first, then an exit code, then what the result reads like."""
    if step.failed:
        return True
    edges = step.result if len(step.result) <= 2 * _EDGE else f"{step.result[:_EDGE]}\n{step.result[-_EDGE:]}"
    code = _EXIT.search(edges)
    if code is not None:
        # `grep` leaves with 1 when it finds nothing: a look that comes back empty is an answer.
        return code[1] not in ("0", "1") if action is Action.LOOK else code[1] != "0"
    if action is Action.LOOK:
        # A file that was read may hold anything; only a short result can be the tool's own complaint.
        return len(step.result) <= _EDGE and _ERROR.search(edges) is not None
    return _ERROR.search(edges) is not None


def read_signals(steps: Sequence[Step]) -> Signals:
    """The signals of the turn's steps, oldest first. Only as many as the excerpt keeps are seen."""
    actions = [action_of(step) for step in steps]
    edits = edited_chars = 0
    is_landing = False
    for step, action in zip(steps, actions, strict=True):
        if action is Action.EDIT:
            landed = not has_failed(step, action)
            edits += landed
            edited_chars += len(step.arguments) if landed else 0
            is_landing = False
        elif edits and action in (Action.CHECK, Action.REVIEW):
            is_landing = not has_failed(step, action)
    return Signals(
        steps=len(steps),
        looks=actions.count(Action.LOOK),
        edits=edits,
        edited_chars=edited_chars,
        error_streak=_streak(has_failed(step, action) for step, action in zip(reversed(steps), reversed(actions), strict=True)),
        repeats=_repeats(steps),
        looks_in_a_row=_streak(action is Action.LOOK for action in reversed(actions)),
        is_landing=is_landing,
    )


def _streak(holds: Iterable[bool]) -> int:
    """How many of the first ones hold; what comes after the first that does not is not even computed."""
    return sum(1 for _ in takewhile(bool, holds))


def _repeats(steps: Sequence[Step]) -> int:
    if not steps:
        return 0
    last = steps[-1]
    if tool_words(last.tool) & _WAITS:
        return 0
    return sum(step.tool == last.tool and step.arguments == last.arguments for step in steps[-REPEAT_WINDOW - 1 : -1])
