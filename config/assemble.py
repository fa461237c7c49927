"""Joins sources into what the server serves: one catalog, one router, and an `Upstream` per replica with all that can be precomputed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from urllib.parse import urlsplit

from config.clients import Clients, clients_of
from config.embedding import classifier_for
from config.headroom import limits_of
from config.policies import Names, policy_book, with_clients
from config.settings import Settings
from config.sources import Source
from config.transports import Transports
from providers.dialects import Dialect
from providers.loopback import is_loopback
from providers.transport.port import Origin, Transport, the_same
from proxy.guard import LOOPBACK_HOSTS
from proxy.headers import header_text
from proxy.memory import Memory
from proxy.serving import Limits, Serving, Upstream
from routing.classify.profile import Profile
from routing.criteria import Criteria, Tuning
from routing.fleet import Fleet
from routing.retry import RetryLimits
from routing.router import Router
from routing.turns import DefaultsTo
from routing.types import Catalog, LogicalModel, ModelReplica

NO_DEADLINE_S = 86400.0
"""`deadline_seconds: null`: a day is longer than any upstream's patience."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What stays the same over every reload."""

    criteria: Criteria
    aliases: Mapping[str, str]
    named_only: Set[str]
    """Logical models whose tier the catalog only guesses: served when named, never chosen for a tier."""
    transports: Transports
    dialects: Mapping[str, Dialect]


def assemble(
    settings: Settings,
    sources: Iterable[Source],
    parts: Parts,
    fleet: Fleet | None = None,
    memory: Memory | None = None,
    *,
    clients: Clients | None = None,
) -> Serving:
    """`sources` in order of precedence: the first to name a replica id has it. `fleet` and `memory` carry over what is believed about
    replicas and remembered of conversations. `clients`: who has a key; None: those of `settings`."""
    clients = clients if clients is not None else clients_of(settings)
    models: dict[str, LogicalModel] = {}
    replicas: list[ModelReplica] = []
    upstreams: dict[str, Upstream] = {}
    for source in sources:
        for model in source.models:
            models.setdefault(model.id, model)
        for replica in source.replicas:
            if replica.id not in upstreams:
                replicas.append(replica)
                upstreams[replica.id] = _upstream(source, replica, parts.transports.of(source))
    routing = settings.routing
    named_only = parts.named_only - {model.id for model in settings.models}
    book = with_clients(policy_book(settings, Names(models, upstreams, parts.aliases)), clients.policies)
    limits = limits_of(settings, clients.keys)
    catalog = Catalog.build(
        models,
        replicas,
        aliases=parts.aliases,
        rewrites=tuple(routing.rewrites.items()),
        default_tier=routing.default_tier,
        escalate=routing.escalate,
        named_only=named_only,
        policies=book.policies,
    )
    tuning = Tuning(
        weights=routing.weights,
        profile=routing.profile,
        retry=RetryLimits(routing.retry.budget.share, routing.retry.budget.min_per_second),
        quality_floors=routing.quality_floor,
        limits=limits,
    )
    return Serving(
        router=Router(catalog, parts.criteria, tuning, fleet),
        upstreams=upstreams,
        keys=clients.ring,
        limits=_limits(settings),
        local_preference=routing.local_preference,
        objective=routing.objective,
        classifier=DefaultsTo(classifier_for(Profile(routing.profile), routing.classifier.embed), routing.default_tier),
        policies=book,
        strips_foreign_reasoning=routing.foreign_reasoning == "strip",
        memory=memory if memory is not None else Memory(),
        allowed_hosts=_allowed_hosts(settings),
        dialects=parts.dialects,
        translations=translations(parts.dialects),
        clients=clients.terms,
        tells_limits=bool(limits.limits),
    )


def translations(dialects: Mapping[str, Dialect]) -> dict[str, frozenset[str]]:
    """Dialect → the others that a translation leads to: both sides need a codec."""
    spoken = frozenset(name for name, dialect in dialects.items() if dialect.codec is not None)
    return {name: spoken - {name} for name in spoken}


def _upstream(source: Source, replica: ModelReplica, transport: Transport) -> Upstream:
    reach = source.reach
    origin, base_path = origin_of(source)
    kind, paths = source.kind, source.kind.paths
    spoken = [dialect for dialect in replica.dialects if dialect in paths]
    targets = {dialect: kind.target(base_path, paths, dialect, replica.upstream_model).encode() for dialect in spoken}
    stream_target = kind.stream_target
    answer_headers = [
        (b"x-donut-model", header_text(replica.logical_model_id)),
        (b"x-donut-replica", header_text(replica.id)),
        (b"x-donut-tier", replica.tier.value.encode()),
    ]
    return Upstream(
        replica=replica,
        kind=kind,
        transport=transport,
        origin=origin,
        targets=targets,
        stream_targets=targets
        if stream_target is None
        else {dialect: stream_target(base_path, paths, dialect, replica.upstream_model).encode() for dialect in spoken},
        headers=[(b"content-type", b"application/json"), (b"accept-encoding", b"identity"), *reach.headers],
        deadlines=reach.deadlines,
        on_disconnect=reach.on_disconnect,
        drain_s=reach.drain_s,
        drain_max_concurrent=reach.drain_max_concurrent,
        answer_headers=answer_headers,
        answer_lines=b"".join(b"%b: %b\r\n" % header for header in answer_headers),
    )


def origin_of(source: Source) -> tuple[Origin, str]:
    """The pool key of a source's base URL, and the path below which its dialects live."""
    parts = urlsplit(source.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    reach = source.reach
    origin = Origin(parts.scheme, parts.hostname or "", port, reach.verify, reach.ca_file, reach.proxy, reach.http2)
    return the_same(origin), parts.path.rstrip("/")


def _limits(settings: Settings) -> Limits:
    routing = settings.routing
    return Limits(
        body_bytes=int(settings.server.body_limit_mb * 1024 * 1024),
        prelude_events=routing.prelude.events,
        prelude_bytes=routing.prelude.bytes,
        prelude_s=routing.prelude.seconds,
        keepalive_s=routing.keepalive.seconds,
        deadline_s=NO_DEADLINE_S if routing.deadline_seconds is None else routing.deadline_seconds,
        max_attempts=routing.retry.max_attempts,
    )


def _allowed_hosts(settings: Settings) -> frozenset[str] | None:
    """On loopback, its own names and those that config adds; elsewhere only what config lists, and all if it lists none (keys rule)."""
    listed = frozenset(name.lower() for name in settings.server.allowed_hosts)
    if is_loopback(settings.server.host):
        return LOOPBACK_HOSTS | listed | {settings.server.host.strip("[]").lower()}
    return listed or None
