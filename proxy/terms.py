"""What the holder of a client key is held to, apart from its limits (`routing.headroom`) and its policy."""

from __future__ import annotations

from typing import NamedTuple

from routing.types import Demand, LocalPreference


class ClientTerms(NamedTuple):
    models: tuple[str, ...] = ()
    """Logical models and replicas that may answer, with `*`; empty = all."""
    local_only: bool = False

    def bind(self, demand: Demand) -> Demand:
        """`demand` as the key allows it, whatever the request, a policy or a header says."""
        local = LocalPreference.REQUIRED if self.local_only else demand.local_preference
        return demand._replace(models_allowed=self.models, local_preference=local)
