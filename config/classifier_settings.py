"""`routing.classifier:` – what the classifier judges by, beyond the shipped weights, as configuration."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from pydantic import Field, field_validator

from config.adapter_settings import PathText, path_of
from config.section import Section, refuse

PACKAGE = "model2vec"
EXTRA = "donut-proxy[embed]"


def has_package() -> bool:
    return importlib.util.find_spec(PACKAGE) is not None


class EmbedSettings(Section):
    """A static embedding model of your own, and the heads that `scripts/train-classifier --embed` trained for it."""

    model: PathText
    """Its folder, as model2vec saves it. Nothing is downloaded."""
    heads: PathText
    """The file of heads: word weights and a matrix, trained together."""
    limit_ms: float = Field(default=1.0, gt=0, le=1000)
    """Longest time that it may take for a full window of text, by the median at start; when it takes longer the shipped weights judge."""

    @field_validator("model")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        if not path_of(value).is_dir():
            refuse("there is no such folder; donut downloads none")
        return value

    @field_validator("heads")
    @classmethod
    def _is_a_file(cls, value: str) -> str:
        if not path_of(value).is_file():
            refuse("there is no such file; `scripts/train-classifier --embed FOLDER` makes it")
        return value

    @property
    def model_folder(self) -> Path:
        return path_of(self.model)

    @property
    def heads_file(self) -> Path:
        return path_of(self.heads)


class ClassifierSettings(Section):
    """How `auto` judges what a request asks for."""

    embed: EmbedSettings | None = None
    """An embedding model that has a say beside the words; empty = the shipped weights alone."""

    @field_validator("embed")
    @classmethod
    def _has_its_package(cls, value: EmbedSettings | None) -> EmbedSettings | None:
        if value is not None and not has_package():
            refuse(f"needs a package that is not installed: pip install '{EXTRA}'")
        return value
