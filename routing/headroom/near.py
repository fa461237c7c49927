"""Which replicas a demand of a certain size might not fit: found by its number of bits, so that nobody else need be looked at."""

from __future__ import annotations

from collections.abc import Set

MOST_BITS = 21
"""Two million tokens. Longer demands look at everyone who has a limit at all."""


class Near:
    """Replicas by the bits of the tokens that surely fit."""

    __slots__ = ("_bits", "_up_to")

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._up_to: list[set[str]] = [set() for _ in range(MOST_BITS + 1)]
        """n → everyone whose room has n bits or fewer; the last one: everyone."""

    def put(self, replica_id: str, room_bits: int) -> None:
        known = self._bits.get(replica_id, MOST_BITS + 1)
        if room_bits == known:
            return
        self._bits[replica_id] = room_bits
        for bits in range(min(known, room_bits), min(max(known, room_bits), MOST_BITS)):
            (self._up_to[bits].discard if room_bits > known else self._up_to[bits].add)(replica_id)
        self._up_to[MOST_BITS].add(replica_id)

    def drop(self, replica_id: str) -> None:
        if self._bits.pop(replica_id, None) is not None:
            for ids in self._up_to:
                ids.discard(replica_id)

    def of(self, tokens: int) -> Set[str]:
        """Everyone whom a demand of so many tokens might not fit."""
        return self._up_to[min(tokens.bit_length(), MOST_BITS)]
