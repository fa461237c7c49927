"""coder/agentapi and agentapi++: an agent's life, heard on its `GET /events` (server-sent events).

The server first replays the state (every message, then the status), then says what changes. It closes the stream of a listener that does
not keep up, and takes a hundred at most. Of a message only its role, number and size are kept: what a person and an agent say to each other
is none of donut's business, and neither is the screen.

`AgentEvents` is sans-IO; `listen` holds the connection. An agent that runs is load to come: its harness is about to ask for a model.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import orjson

from providers import sse
from providers.adapters import Adapter
from providers.adapters._fields import count, mapping, text

CONNECT_S = 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Between two tries. An agent is often started after donut."""
KEEP_ALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, option, 60)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL")
        if (option := getattr(socket, name, None)) is not None
    ),
]
"""Every minute; Linux gives up after nine questions without an answer."""
STEADY_S = 10.0
"""A connection that lasted as long was a good one."""
EVENT_BYTES = sse.MAX_EVENT_BYTES
"""An event is a message or a screen; a longer one is no event of this API, and the connection is given up."""


class AgentStatusChanged(NamedTuple):
    agent: str
    """As config calls it."""
    status: str
    """`running`: it works. `stable`: it waits for a person."""
    agent_type: str
    """`claude`, `codex`, `aider` …; empty where the server does not say."""


class AgentMessage(NamedTuple):
    agent: str
    number: int
    role: str
    """`user` or `agent`."""
    size: int
    """Characters."""


class AgentFailed(NamedTuple):
    agent: str
    level: str
    """`error` or `warning`."""


class AgentLost(NamedTuple):
    """The connection is gone, and with it all that was known."""

    agent: str
    because: str


AgentEvent = AgentStatusChanged | AgentMessage | AgentFailed | AgentLost


class AgentEvents:
    """Bytes of one connection in, events out. Raises ValueError when no event can be found in them any more."""

    def __init__(self, agent: str) -> None:
        self.agent = agent
        self._rest = b""

    def feed(self, data: bytes) -> list[AgentEvent]:
        self._rest += data
        end = sse.last_boundary(self._rest)
        whole_events, self._rest = self._rest[:end], self._rest[end:]
        if len(self._rest) > EVENT_BYTES:
            raise ValueError("an event has no end")
        read = (self._read(event) for event in sse.events(whole_events))
        return [event for event in read if event is not None]

    def _read(self, event: bytes) -> AgentEvent | None:
        name, data = _name(event), _data(event)
        if name == "status_change":
            status = text(data.get("status"))
            return AgentStatusChanged(self.agent, status, text(data.get("agent_type"))) if status in ("running", "stable") else None
        if name == "message_update":
            message = data.get("message")
            size = len(message) if isinstance(message, str) else 0
            role = text(data.get("role"))
            return AgentMessage(self.agent, count(data.get("id")), role, size) if role in ("user", "agent") else None
        if name == "agent_error":
            return AgentFailed(self.agent, text(data.get("level")) or "error")
        return None


def _name(event: bytes) -> str:
    lines = event.removeprefix(b"\xef\xbb\xbf").splitlines()
    return next((line[6:].strip().decode("latin-1") for line in lines if line.startswith(b"event:")), "")


def _data(event: bytes) -> Mapping[str, Any]:
    payload = sse.payload(event)
    if payload is None:
        return {}
    try:
        return mapping(orjson.loads(payload))
    except orjson.JSONDecodeError:
        return {}


class Load:
    """Which agents work now: the hint that a model will be asked for."""

    def __init__(self) -> None:
        self._states: dict[str, AgentStatusChanged] = {}

    def take(self, event: AgentEvent) -> bool:
        """Is it news? A status that is replayed after a reconnection is none; nor is a message that is told again."""
        if isinstance(event, AgentStatusChanged):
            known = self._states.get(event.agent)
            if not event.agent_type and known is not None:
                event = event._replace(agent_type=known.agent_type)
            self._states[event.agent] = event
            return event != known
        if isinstance(event, AgentLost):
            return self._states.pop(event.agent, None) is not None
        return isinstance(event, AgentFailed)

    @property
    def running(self) -> int:
        return sum(state.status == "running" for state in self._states.values())

    def told(self) -> list[dict[str, str]]:
        return [{"agent": state.agent, "status": state.status, "agent_type": state.agent_type} for state in self._states.values()]


async def listen(agent: str, base_url: str, tell: Callable[[AgentEvent], None], jitter: Callable[[], float] = random.random) -> None:
    """Follow one agent until cancelled, over every reconnection. `tell` is called for each event, and must not raise."""
    wait_s, now = FIRST_WAIT_S, asyncio.get_running_loop().time
    async with _client() as client:
        while True:
            because, began_s = "the connection ended", now()
            try:
                async for event in follow(client, agent, base_url):
                    tell(event)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                because = str(error) or type(error).__name__
            tell(AgentLost(agent, because))
            # A server that replays its state and hangs up, again and again, must not be asked every second.
            wait_s = FIRST_WAIT_S if now() - began_s > STEADY_S else wait_s
            await asyncio.sleep(wait_s * (0.5 + 0.5 * jitter()))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


async def follow(client: httpx.AsyncClient, agent: str, base_url: str) -> AsyncIterator[AgentEvent]:
    """The events of one connection. Raises httpx.HTTPError and ValueError."""
    events = AgentEvents(agent)
    async with client.stream("GET", f"{base_url}/events", headers={"accept": "text/event-stream", "accept-encoding": "identity"}) as answer:
        if answer.status_code != 200:
            raise ValueError(f"{base_url}/events answers {answer.status_code}")
        async for data in answer.aiter_raw():
            for event in events.feed(data):
                yield event


@asynccontextmanager
async def _client() -> AsyncIterator[httpx.AsyncClient]:
    """Without a read timeout: an agent that waits for a person says nothing for hours. The kernel asks whether its machine is there."""
    timeout = httpx.Timeout(CONNECT_S, read=None)
    transport = httpx.AsyncHTTPTransport(socket_options=KEEP_ALIVE, trust_env=False)
    async with httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False) as client:
        yield client


ADAPTER = Adapter(name="agentapi", title="agentapi", docs="https://github.com/coder/agentapi")
