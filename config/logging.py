"""structlog's chain of plain functions: pretty for people, one JSON object a line for machines. Everything goes to standard error."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import orjson
import structlog

from proxy.access_log import WriteLines

_TRACEBACKS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
"""Frames without their variables, in which headers with keys and bodies with prompts stand."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(style: Literal["auto", "pretty", "json"], level: str) -> WriteLines:
    """Set up logging for the process; returns what writes the lines of exchanges. `auto` is pretty on a terminal and JSON elsewhere."""
    pretty = sys.stderr.isatty() if style == "auto" else style == "pretty"
    shared: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=not pretty)]
    if pretty:
        ending: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)]
        factory: Any = structlog.PrintLoggerFactory(sys.stderr)
    else:
        # Tracebacks become data: one line per event is what a log shipper can read.
        ending = [structlog.processors.ExceptionRenderer(_TRACEBACKS), structlog.processors.JSONRenderer(serializer=_dumps)]
        factory = structlog.BytesLoggerFactory(sys.stderr.buffer)
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=factory,
        cache_logger_on_first_use=True,
    )
    # Libraries speak through the standard library: only what is worth a person's attention, in the same place.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s") if pretty else _JsonFormatter())
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.WARNING), force=True)
    return _write_pretty if pretty else _write_json(LEVELS[level])


class _JsonFormatter(logging.Formatter):
    """A library's line as one JSON object, its traceback included: a log shipper reads every line of ours."""

    def format(self, record: logging.LogRecord) -> str:
        said = {"event": record.getMessage(), "logger": record.name, "level": record.levelname.lower()}
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        said["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return _dumps(said).decode()


def _dumps(event: dict[str, Any], **_options: Any) -> bytes:
    return orjson.dumps(event, default=str)


_line_of = partial(orjson.dumps, default=str, option=orjson.OPT_APPEND_NEWLINE)


def _write_json(threshold: int) -> WriteLines:
    """A batch of lines in one write, past structlog's chain: 7 µs a line instead of 16 when we measured it."""
    loud = [level for level, number in LEVELS.items() if number >= threshold]

    def write(lines: list[tuple[str, dict[str, Any]]]) -> None:
        timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        rest = {level: {"event": "exchange", "level": level, "timestamp": timestamp} for level in loud}
        written: list[bytes] = []
        for level, fields in lines:
            if level in rest:
                fields.update(rest[level])
                written.append(_line_of(fields))
        sys.stderr.buffer.write(b"".join(written))
        sys.stderr.buffer.flush()

    return write


def _write_pretty(lines: list[tuple[str, dict[str, Any]]]) -> None:
    logger = structlog.get_logger("donut.access")
    for level, fields in lines:
        logger.log(LEVELS[level], "exchange", **fields)
