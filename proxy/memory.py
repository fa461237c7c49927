"""What one process remembers between requests, apart from belief about replicas: it survives a reload, as that does."""

from __future__ import annotations

from dataclasses import dataclass, field

from proxy.checkpoints import Checkpoints
from routing.conversations import TTL_S, TURNS_MOST, Conversations
from routing.origins import Origins
from routing.recent import Recent


@dataclass(frozen=True, slots=True)
class Memory:
    conversations: Conversations = field(default_factory=Conversations)
    origins: Origins = field(default_factory=Origins)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)
    stripped: Recent[str, bool] = field(default_factory=lambda: Recent(TURNS_MOST, TTL_S))
    """Keys of conversations from which reasoning was taken out. Their clients send it again each time, so it is taken out each time."""
