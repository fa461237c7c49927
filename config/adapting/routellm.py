"""A second opinion on donut's own choices, asked after they were made: a RouteLLM-style router says what it would have taken.

Only requests whose model was left open count, and only their difficulty, size and objective are sent: the journal has no prompts. What
comes back is an event and a share of agreement; it moves no decision by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx

from config.adapter_settings import RouterSettings
from config.adapting import Host, Worker, Workers
from providers.adapters.routellm import NoOpinionError, Opinion, Question, ask
from proxy.journal.records import ExchangeRecord

WAITING_MOST = 50
KEPT = 50
"""Opinions shown."""
FAILURES_IN_A_ROW = 5
REST_S = 60.0
"""After that many failures the router is left alone for so long."""
MINUTE_S = 60.0


class Chosen(NamedTuple):
    """What donut chose, and what it knew."""

    exchange_id: str
    model: str
    question: Question


def chosen_by(record: ExchangeRecord) -> Chosen | None:
    """None where there was nothing to choose: the client named the model, or donut refused."""
    demand: Mapping[str, Any] = (record.decision or {}).get("demand") or {}
    difficulty = demand.get("difficulty")
    if record.logical_model_id is None or not isinstance(difficulty, int | float):
        return None
    question = Question("auto", float(difficulty), record.input_tokens_estimated, str(demand.get("objective") or "auto"))
    return Chosen(record.id, record.logical_model_id, question)


class RouterWorker(Worker):
    def __init__(self, settings: RouterSettings, host: Host) -> None:
        super().__init__("routellm")
        self._settings = settings
        self._host = host
        self._waiting: deque[Chosen] = deque(maxlen=WAITING_MOST)
        self._wake = asyncio.Event()
        self._opinions: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._asked = self._agreed = self._silent = 0

    def finished(self, records: Sequence[ExchangeRecord]) -> None:
        found = [chosen for record in records if (chosen := chosen_by(record)) is not None]
        if found:
            # The newest ones count: an old choice is of no interest by the time that its turn would come.
            self._waiting.extend(found)
            self._wake.set()

    async def run(self) -> None:
        failures = 0
        async with _client() as client:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    failures = 0 if await self._ask(client, self._waiting.pop()) else failures + 1
                    await asyncio.sleep(REST_S if failures >= FAILURES_IN_A_ROW else MINUTE_S / self._settings.per_minute)

    async def _ask(self, client: httpx.AsyncClient, chosen: Chosen) -> bool:
        try:
            opinion = await ask(client, self._settings.url, chosen.question, self._settings.timeout_seconds)
        except NoOpinionError as error:
            self._silent += 1
            self.trouble(str(error))
            return False
        self.well()
        self._asked += 1
        is_same = self._means(opinion) == chosen.model
        self._agreed += is_same
        told = {
            "id": chosen.exchange_id,
            "model": chosen.model,
            "external_model": opinion.model,
            "agrees": is_same,
            "reason": opinion.reason,
        }
        self._opinions.append(told)
        gateway = self._host.gateway
        gateway.events.announce("ExternalOpinion", {"at": gateway.wall(), **told})
        return True

    def _means(self, opinion: Opinion) -> str:
        """The logical model behind the router's name for it."""
        target = self._host.gateway.serving.router.catalog.aliases.get(opinion.model, opinion.model)
        replica = self._host.gateway.serving.router.catalog.replicas.get(target)
        return replica.logical_model_id if replica is not None else target

    async def opinion(self, question: Question) -> Opinion | None:
        """For a dry run: its caller waits for it, no request does."""
        async with _client() as client:
            return await ask(client, self._settings.url, question, self._settings.timeout_seconds)

    def status(self) -> dict[str, Any]:
        share = round(self._agreed / self._asked, 4) if self._asked else None
        counts = {"asked": self._asked, "agreed": self._agreed, "no_opinion": self._silent, "agreement": share}
        return {**counts, "opinions": list(self._opinions)}


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(follow_redirects=False, trust_env=False)


WORKERS = Workers(lambda settings, host: [] if settings.routellm is None else [RouterWorker(settings.routellm, host)])
