"""Agents behind agentapi: what they do becomes donut's events, and those that work are a hint of load."""

from __future__ import annotations

from typing import Any

from config.adapter_settings import AgentSettings
from config.adapting import Host, Worker, Workers
from providers.adapters.agentapi import AgentEvent, AgentLost, Load, listen


class AgentWorker(Worker):
    def __init__(self, settings: AgentSettings, host: Host) -> None:
        super().__init__(f"agentapi:{settings.id}")
        self._settings = settings
        self._host = host
        self._load = Load()
        self._heard = 0

    async def run(self) -> None:
        await listen(self._settings.id, self._settings.url, self._tell)

    def _tell(self, event: AgentEvent) -> None:
        is_news = self._load.take(event)
        if isinstance(event, AgentLost):
            self.trouble(event.because)
        else:
            self.well()
            self._heard += 1
        if is_news:
            gateway = self._host.gateway
            gateway.events.announce(type(event).__name__, {"at": gateway.wall(), **event._asdict()})

    def status(self) -> dict[str, Any]:
        return {"events": self._heard, "running": self._load.running, "agents": self._load.told()}


WORKERS = Workers(lambda settings, host: [AgentWorker(each, host) for each in settings.agentapi])
