"""One donut process: what it knows, what it serves, and the long-lived parts behind it. Knows everyone; is known by the commands.

Three things change what is served, each by building a new `Serving` from scratch: a config file that was edited, a local server that
came or went, a provider that lists other models. Belief about replicas (`Fleet`) and the transports outlive them all.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

import providers.dialects
import providers.kinds
import proxy.pages
from config import adapting, listing, sources
from config.adapting import Host, Workers
from config.adapting._crew import Crew
from config.adapting._learning import Learning, library_names
from config.assemble import Parts, assemble
from config.catalog import load_catalog
from config.clients import clients_of
from config.criteria import discover_criteria
from config.discovery import discover
from config.environment import EnvironmentProvider, providers_from_environment
from config.headroom import webhooks_of
from config.journal_place import configured_place
from config.key_file import key_file
from config.key_watch import KeyWatch
from config.ledger.keeper import Keeper
from config.ledger.living import Living
from config.ledger.shelf import Shelf, reread
from config.ledger.store import ledger_folder
from config.policy_overrides import PolicyOverrides
from config.problems import ConfigError
from config.provider_settings import ProviderSettings
from config.recall import recall
from config.recount import Recount
from config.settings import Settings
from config.source import Loaded
from config.sources import Source
from config.transports import Transports
from config.watch import ConfigWatcher
from providers.dialects import Dialect
from providers.local.found import Found
from providers.local.probe import discover as discover_local
from providers.ports import ProviderKind
from proxy import access_log
from proxy.access_log import WriteLines
from proxy.alerts import BudgetAlerts
from proxy.app import App
from proxy.gateway import Gateway
from proxy.journal.queue import JournalQueue
from proxy.journal.records import ExchangeRecord
from proxy.journal.retention import Retention
from proxy.lifespan import lifespan
from proxy.memory import Memory
from proxy.metrics import Metrics
from proxy.pages import pages_for
from proxy.serving import Serving
from proxy.shared.port import shared_over
from proxy.site import Pages, Site
from routing.affinity import Affinity
from routing.fleet import Fleet

log = structlog.get_logger("donut.runtime")

JOURNAL_CLOSE_S = 0.5
"""How long the journal may take to write what is left at shutdown, before it spills to a file beside itself.

Short, since nothing is lost by it: with the drain's 8 s, and the second that a stuck write gets, it must stay below Docker's 10 s.
"""

PATIENCE_AT_START_S = 0.4
"""A provider that is slow to list its models must not hold up the start: it is asked again at once, in the background."""

AGAIN_SOON_S = 5.0
"""How soon a provider that has not listed its models yet is asked again."""

FIXED_AT_START = ("host", "port", "keep_alive_seconds", "drain_seconds", "workers")
"""Settings of the server that a reload can not change; it says so."""


@dataclass(slots=True)
class Known:
    """What was found out, as opposed to written down."""

    local: list[Found] = field(default_factory=list)
    listed: dict[str, list[str]] = field(default_factory=dict)
    """Provider id → the models it lists itself."""


class Runtime:
    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        *,
        write_lines: WriteLines,
        config_path: Path | None = None,
        read: Callable[[], Loaded] | None = None,
        demo: bool = False,
        version: str = "unknown",
    ) -> None:
        """`write_lines` writes the log lines of exchanges; `read` loads the config file again, command-line overrides included;
        `demo` serves the simulated fleet and nothing else."""
        self.settings = settings
        self.demo = demo
        self.known = Known()
        self.sources: list[Source] = []
        self._environ = environ
        self._version = version
        self._config_path = config_path
        self._read = read
        self._kinds = {kind.name: kind for kind in discover(providers.kinds, "KIND", ProviderKind).values()}
        self._policies = PolicyOverrides(self._kinds)
        self._catalog = load_catalog()
        self.transports = Transports()
        self._dialects = {dialect.name: dialect for dialect in discover(providers.dialects, "DIALECT", Dialect).values()}
        self._parts = Parts(
            criteria=discover_criteria(),
            aliases=self._catalog.aliases,
            named_only=self._catalog.models.keys() - self._catalog.curated,
            transports=self.transports,
            dialects=self._dialects,
        )
        self.journal_place = configured_place(settings.state, environ)
        self._key_watch = KeyWatch(key_file(self.journal_place.beside))
        self.store = self.journal_place.store(version)
        self.journal = JournalQueue(
            self.store,
            flush_s=settings.state.flush_ms / 1000,
            max_bytes=int(settings.state.queue_mb * 1024 * 1024),
            on_batch=self._announce,
            spill_beside=self.journal_place.beside,
        )
        self._reading: asyncio.Task[None] | None = None
        self._shelf = Shelf(ledger_folder(self.journal_place.beside), settings, str(config_path or ""))
        self.metrics = Metrics()
        self._log_exchanges = access_log.log_to(write_lines)
        self._fleet = Fleet(affinity=Affinity(settings.routing.affinity.ttl_seconds))
        self._memory = Memory()
        self.gateway = Gateway(self._build(), self.journal.put)
        self._recount = Recount(self.gateway, self.store, self.journal)
        self._budget_alerts = BudgetAlerts(self.gateway.events, self.gateway.wall, webhooks_of(settings))
        self.metrics.watch(self.gateway, self.journal.snapshot)
        self._keeper = Keeper(self._shelf, environ, self._ledger_changed)
        learning = Learning(self._shelf.folder, library_names, self._keeper.look)
        host = Host(self.gateway, self.store, learning, self.journal_place.beside.parent)
        self._crew = Crew(settings.adapters, host, lambda: discover(adapting, "WORKERS", Workers).values())
        if settings.log.level == "debug":
            self.gateway.events.log_to(_log_event)

    def application(self, announce: Callable[[], None] = lambda: None) -> App:
        """The ASGI application of this process; its lifespan starts and stops everything else. `announce` is called when all is up."""
        dialects = self._dialects
        error_body = dialects["chat"].error_body
        site = Site(
            self.gateway,
            self.metrics,
            self.store,
            lambda: self.journal.snapshot().pending,
            self.gateway.events,
            dialects=dialects,
            is_ready=self._not_ready,
            error_body=error_body,
            put_policy=self._put_policy,
            selectors={selector.name: selector for selector in self._parts.criteria.selectors},
            profile=lambda: self.settings.routing.profile,
            version=self._version,
            adapters=self._crew.status,
            opinion=self._crew.opinion,
            ledger=lambda: self._shelf.resolver,
            config_name=self._config_path.name if self._config_path is not None else None,
        )
        pages = pages_for(site, discover(proxy.pages, "PAGES", Pages).values())
        return App(self.gateway, dialects.values(), pages, lifespan(lambda: self.parts(announce)), error_body)

    def _announce(self, records: Sequence[ExchangeRecord]) -> None:
        """Called with every finished exchange once, behind the queue: what is said and counted costs no request anything."""
        self._log_exchanges(records)
        self.metrics.count(records)
        self.gateway.events.finished(records)
        self._budget_alerts.tell(self._fleet.headroom.alerts.take())
        self._crew.finished(records)

    @asynccontextmanager
    async def parts(self, announce: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """Everything that lives as long as the process, left in reverse order: the journal last, so that every row gets in."""
        async with AsyncExitStack() as stack:
            await self.store.open()
            stack.push_async_callback(self.store.close)
            # After the journal: its last batch is their last news.
            stack.push_async_callback(self._crew.stop)
            await self.journal.start()
            stack.push_async_callback(self.journal.aclose, JOURNAL_CLOSE_S)
            self._fleet = Fleet(await self.store.calibration(), affinity=self._fleet.affinity)
            await recall(self.store, self._fleet.affinity, self._memory.checkpoints)
            stack.push_async_callback(self.transports.aclose)
            self._fleet.headroom.epoch.set(self.gateway.now(), self.gateway.wall())
            await self.look_around(PATIENCE_AT_START_S)
            await self._recount.count()
            self._budget_alerts.passed_already(self._fleet.headroom, self.gateway.now())
            for work in (self._recount.run(), self._budget_alerts.run(), self._key_watch.run(self._serve_anew)):
                self._start(stack, work)
            if self.settings.state.shared is not None:
                # Once the fleet has counted what the journal remembers: that is no news to the others.
                self.gateway.shared = shared_over(self.settings.state.shared, lambda: self.gateway.serving.router, self.gateway)
                self._start(stack, self.gateway.shared.run())
            self._start(stack, self._look_around_for_ever())
            if self.settings.state.retention_days > 0:
                self._start(stack, Retention(self.store, self.settings.state.retention_days).run())
            if self._config_path is not None and self._read is not None:
                watcher = ConfigWatcher(self._config_path, self._read, self._apply, _refuse)
                self._start(stack, watcher.run())
            self._crew.start()
            self._start(stack, Living(self.store, self._shelf, self._shelf.folder).run())
            self._start(stack, self._keeper.watch())
            stack.push_async_callback(self._keeper.stop)
            await self._keeper.take_over({} if self.demo else self.settings.sources)
            await asyncio.sleep(0)  # the watcher's first step installs SIGHUP's handler; who reads that donut serves may send one
            announce()
            yield

    @staticmethod
    def _start(stack: AsyncExitStack, work: object) -> None:
        assert asyncio.iscoroutine(work)
        task = asyncio.create_task(work)
        task.add_done_callback(_report_death)

        async def stop() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        stack.push_async_callback(stop)

    # Finding out

    async def look_around(self, patience_s: float = listing.TIMEOUT_S) -> None:
        """Ask this machine's ports and the configured providers that list their own models; serve what is there now.

        `patience_s`: how long a provider may take to list them.
        """
        if self.demo:
            local: list[Found] = []
            listed = self.known.listed
        else:
            local, listed = await asyncio.gather(self._look_for_local_servers(), self._ask_for_models(patience_s))
        changed = (local, listed) != (self.known.local, self.known.listed)
        self.known.local, self.known.listed = local, listed
        if changed or self.gateway.serving.router.fleet is not self._fleet:
            self._serve_anew()

    async def _look_for_local_servers(self) -> list[Found]:
        if not self.settings.discovery.local:
            return []
        return await discover_local(environ=self._environ, known=self.known.local)

    def _listing_providers(self) -> list[ProviderSettings]:
        return [provider for provider in self.settings.providers if listing.wants_listing(provider, self._kinds[provider.kind])]

    async def _ask_for_models(self, patience_s: float) -> dict[str, list[str]]:
        wanted = self._listing_providers()
        answers = await asyncio.gather(*(listing.list_models(provider, self._kinds[provider.kind], patience_s) for provider in wanted))
        listed = dict(self.known.listed)
        for provider, names in zip(wanted, answers, strict=True):
            if names is not None:
                listed[provider.id] = names
        return listed

    async def _look_around_for_ever(self) -> None:
        while True:
            is_complete = all(provider.id in self.known.listed for provider in self._listing_providers())
            interval_s = self.settings.discovery.interval_seconds
            await asyncio.sleep(interval_s if is_complete else min(interval_s, AGAIN_SOON_S))
            before = {found.base_url for found in self.known.local if found.is_usable}
            await self.look_around()
            after = {found.base_url for found in self.known.local if found.is_usable}
            for url in sorted(after - before):
                log.info("local_server_found", url=url)
            for url in sorted(before - after):
                log.warning("local_server_gone", url=url)

    # Serving

    def _build_sources(self) -> list[Source]:
        if self.demo:
            return [sources.simulated(self._kinds)]
        catalog = self._shelf.catalog
        described = sources.declared_models(self.settings, catalog)
        found = [
            sources.from_config(provider, self._kinds, described, catalog, self.known.listed.get(provider.id, ()))
            for provider in self.settings.providers
        ]
        taken = {source.base_url for source in found}
        found += [
            sources.from_environment(account, self._environ, catalog) for account in self._accounts() if account.base_url not in taken
        ]
        found += [
            sources.from_discovery(server, self._kinds, self._environ, catalog)
            for server in self.known.local
            if server.is_usable and server.base_url not in taken
        ]
        if not any(source.replicas for source in found) and not self.settings.providers:
            found.append(sources.simulated(self._kinds))
        return found

    def _accounts(self) -> list[EnvironmentProvider]:
        if not self.settings.discovery.environment:
            return []
        return providers_from_environment(self._environ, self._kinds, self.settings.server.port)

    def _build(self) -> Serving:
        self.sources = [self._shelf.over(source) for source in self._build_sources()]
        settings = self._policies.over(self.settings)
        clients = clients_of(settings, self._key_watch.keys)
        return assemble(settings, self.sources, self._parts, self._fleet, self._memory, clients=clients)

    def _serve_anew(self) -> None:
        self.gateway.serving = self._build()
        self._recount.look()

    def _ledger_changed(self) -> None:
        """A feed or an adapter has brought figures: read them beside the loop, then serve by them."""
        self._reading = asyncio.create_task(reread(self._shelf, self.settings, self._serve_anew), name="ledger-reread")

    def _put_policy(self, posted: Mapping[str, Any]) -> str:
        served = self.gateway.serving.router.catalog
        text = self._policies.put(posted, {*self._catalog.models, *self._catalog.aliases, *served.models, *served.replicas})
        self._serve_anew()
        return text

    @property
    def is_simulated(self) -> bool:
        """Is everything that answers a simulation?"""
        return bool(self.sources) and all(source.origin == "simulated" for source in self.sources)

    def _not_ready(self) -> str | None:
        return None if self.gateway.serving.upstreams else "nothing is served: `donut doctor` says why"

    # Reloading

    async def _apply(self, loaded: Loaded) -> None:
        """Take over an edited config. Open exchanges end under the one they began with."""
        old, self.settings = self.settings, loaded.settings
        self._fleet.affinity.ttl_s = self.settings.routing.affinity.ttl_seconds
        self._budget_alerts.webhooks = webhooks_of(self.settings)
        await asyncio.to_thread(self._shelf.prepare, self.settings)
        await self.look_around()
        self._serve_anew()
        await self._crew.take_over(self.settings.adapters)
        await self._keeper.take_over({} if self.demo else self.settings.sources)
        for problem in loaded.warnings:
            log.warning("config_warning", why=str(problem))
        new = self.settings
        needs_restart = [f"server.{name}" for name in FIXED_AT_START if getattr(old.server, name) != getattr(new.server, name)]
        needs_restart += [name for name in ("state", "log") if getattr(old, name) != getattr(new, name)]
        log.info("config_reloaded", models=len(self.gateway.serving.router.catalog.replicas_by_model), needs_restart=needs_restart or None)


def _refuse(error: ConfigError) -> None:
    log.error("config_refused", why=str(error), still="the old configuration is in force")


def _log_event(said: Mapping[str, Any]) -> None:
    """A lifecycle event as a line. Its name goes into `name`: structlog's own `event` says what kind of line it is."""
    log.debug("lifecycle", name=said["event"], **{key: value for key, value in said.items() if key != "event"})


def _report_death(task: asyncio.Task[object]) -> None:
    """A long-lived task has ended. Nobody awaits it, so a bug in it would pass in silence."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        log.error("background_task_died", exc_info=error)
