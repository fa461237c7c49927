"""A computer under somebody's desk: it falls asleep, and it holds only so many models in memory."""

from __future__ import annotations

from tests.simulation.places import Machine, Place

KEEP_LOADED_S = 300.0
"""Ollama's default keep-alive."""


class Memory:
    """What is loaded, and whether anybody is awake to load it."""

    def __init__(self, machine: Machine, now_s: float) -> None:
        self._machine = machine
        self._used_s: dict[str, float] = {}
        """Loaded model → when it was last used, least recently used first."""
        self._sizes: dict[str, float] = {}
        self._awake_from_s = now_s
        self._last_seen_s = now_s

    def knock(self, now_s: float) -> float:
        """Seconds until the machine answers; the first knock wakes it."""
        if now_s - self._last_seen_s > self._machine.sleeps_after_s:
            self._awake_from_s = now_s + self._machine.wakes_in_s
            self.forget()
        self._last_seen_s = now_s
        return max(0.0, self._awake_from_s - now_s)

    def load(self, place: Place, now_s: float) -> float:
        """Use the model of `place`: seconds until it is in memory. The least recently used ones make room."""
        for model_id, used_s in list(self._used_s.items()):
            if now_s - used_s > KEEP_LOADED_S:
                self._drop(model_id)
        wait_s = 0.0 if place.model.id in self._used_s else place.load_s
        self._used_s.pop(place.model.id, None)
        while self._used_s and sum(self._sizes.values()) + place.size_gb > self._machine.memory_gb:
            self._drop(next(iter(self._used_s)))
        self._used_s[place.model.id] = now_s + wait_s
        self._sizes[place.model.id] = place.size_gb
        return wait_s

    def forget(self) -> None:
        """Power was off."""
        self._used_s.clear()
        self._sizes.clear()

    def _drop(self, model_id: str) -> None:
        del self._used_s[model_id]
        del self._sizes[model_id]
