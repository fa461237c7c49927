"""The shipped classifier: learned weights from the package, read once per process."""

from __future__ import annotations

import functools
import importlib.resources

from routing.classify.classifier import Classifier
from routing.classify.profile import BALANCED, Profile
from routing.classify.weights import Weights


@functools.cache
def load_weights() -> Weights:
    """The weights in the package; read once (measured: 10 to 90 ms, by load). Raises ValueError when the file is damaged."""
    return Weights.parse(importlib.resources.files("config").joinpath("data", "classifier.bin").read_bytes())


def load_classifier(profile: Profile = BALANCED) -> Classifier:
    """A classifier that leans as `profile` says."""
    return Classifier(load_weights(), profile)
