"""What a model's name says: its size, its tier, its purpose, and which logical model it is. Pure; no name is ever a certainty.

People run one model under many names: `qwen3-coder:30b` (Ollama), `qwen/qwen3-coder-30b` (LM Studio),
`Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf` (a file). Two rules keep this honest:
- A match never crosses a size: `gpt-oss:20b` is not `gpt-oss-120b`, and an unknown size matches nothing that has one.
- What is left after dropping packaging words (quantisation, format, "instruct") must be equal; `thinking`, `vl`, `base`, `distill`
  and dates are not packaging, so a cousin is not taken for the model itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from routing.types import ModelTier

TIER_LIMITS_B: tuple[tuple[float, ModelTier], ...] = ((3.3, ModelTier.MICRO), (33.0, ModelTier.SMALL), (330.0, ModelTier.MID))
"""Billions of weights up to which a model nobody has described belongs to a tier; beyond the last one it is frontier.

The limits are 3, 30 and 300 (agentsy's), with a tenth on top because names round: one sold as 3b has 3.2e9 weights, one sold as 30b
30.5e9. The catalog's own judgement is stricter with old sizes (of its 15 sized models this rule puts 6 one tier higher), so a cousin of a
model that it knows gets that one's tier instead: `cousin_of`.
"""
UNTAGGED_B: Mapping[str, float] = {
    "command-r": 35, "command-r-plus": 104, "deepseek-v3": 671, "llama-3.2": 3, "llama-3.3": 70, "mistral-large": 123, "nemotron": 70,
}  # fmt: skip
"""Billions of weights behind a family's name without a size, as Ollama's library has it; only families that are not small, which
is what silence means."""
NAMED_TOLERANCE = 0.5
"""How far a measured size may lie from the one in the name, as a share: one sold as 1b has 1.24e9 weights, one sold as 0.6b 0.75e9."""
GUESSED_TOLERANCE = 0.1
"""The same where only the measured size chooses among a family: 26b and 31b must stay apart, 3.2e9 must find 3b."""

# Not after a digit or a point, so that 13b is not 3b; not before a letter or digit, so that 4bit is not 4b.
_BILLIONS = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)b(?![a-z0-9])")
_EXPERTS = re.compile(r"(?<![\d.])(\d+)x(\d+(?:\.\d+)?)b(?![a-z0-9])")
# Two digits at least: the 1m of "-instruct-1m" is a context window.
_MILLIONS = re.compile(r"(?<![\d.a-z])(\d{2,4})m(?![a-z0-9])")
_TRILLIONS = re.compile(r"(?<![\d.a-z])(\d+(?:\.\d+)?)t(?![a-z0-9])")
_MICRO_WORD = re.compile(r"(?<![a-z])(?:tiny|nano|mini|micro|smol)(?![a-z])|smollm|^tiny|tinyllama")
_EMBEDDING = re.compile(r"embed|(?<![a-z0-9])(?:bge|gte|e5|minilm)(?![a-z0-9])|-minilm-")
_NOT_TEXT = re.compile(r"rerank|whisper|(?<![a-z])(?:tts|stt|flux|sdxl|kokoro|piper|bark)(?![a-z])|stable-?diffusion|parakeet")

# Packaging: how the weights are stored and shipped. The same model inside, as far as a router cares.
_PACKAGING = re.compile(
    r"-(?:i?q[1-8](?:-(?:[01]|k|s|m|l|xl|xs|xxs|nl))*|tq[12]-0|bf16|f(?:16|32)|fp(?:4|8|16|32)|int[48]|[248]-?bit|mxfp4|nvfp4|w\d+a\d+"
    r"|awq|gptq|exl[23]|gguf|mlx|ud|dwq|qat|it|instruct|hf|latest|cloud)(?=-|$)"
)
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_ACTIVE = re.compile(r"-a(\d+(?:\.\d+)?)b(?=-|$)")
# Gemma's e4b: "effective" weights, of which there are more in the file.
_EFFECTIVE = re.compile(r"-e\d+(?:\.\d+)?b(?=-|$)")
_SIZE_TOKEN = re.compile(r"-(?:e?\d+(?:\.\d+)?b|\d+x\d+(?:\.\d+)?b|\d{2,4}m|\d+(?:\.\d+)?t)(?=-|$)")


def parameters_from_name(name: str) -> float | None:
    """Billions of weights that a name claims, all experts counted; None when it claims nothing.

    >>> parameters_from_name("qwen3-30b-a3b"), parameters_from_name("mixtral:8x7b"), parameters_from_name("llama-13b")
    (30.0, 56.0, 13.0)
    """
    text = name.lower()
    sizes = [float(size) for size in _BILLIONS.findall(text)]
    sizes += [int(experts) * float(size) for experts, size in _EXPERTS.findall(text)]
    sizes += [float(size) / 1000 for size in _MILLIONS.findall(text)]
    sizes += [float(size) * 1000 for size in _TRILLIONS.findall(text)]
    return max(sizes, default=None)


def active_from_name(name: str) -> float | None:
    """Billions of weights that work on one token, where a mixture of experts says so; None for a dense or a silent name.

    >>> active_from_name("qwen3:30b-a3b"), active_from_name("mixtral:8x7b"), active_from_name("qwen3:8b")
    (3.0, 14.0, None)
    """
    text = re.sub(r"[\s_:@+]", "-", name.lower())
    told = _ACTIVE.search(text)
    if told is not None:
        return float(told[1])
    experts = _EXPERTS.search(text)
    # "8x7b" is Mixtral's way of writing, and Mixtral asks two experts per token.
    return 2 * float(experts[2]) if experts is not None else None


def effective_parameters(total_b: float, active_b: float | None) -> float:
    """The dense size that a mixture of experts is worth, in billions: the geometric mean of all weights and the active ones.

    A rule of thumb, not a law. It leaves 30b-a3b in small and 550b-a55b in mid, where the catalog's judgement has them.
    """
    return total_b if active_b is None else math.sqrt(total_b * min(active_b, total_b))


def tier_from_parameters(billions: float) -> ModelTier:
    """The tier that a number of weights (in billions) suggests."""
    return next((tier for limit, tier in TIER_LIMITS_B if billions <= limit), ModelTier.FRONTIER)


def tier_from_name(name: str, parameters_b: float | None = None) -> ModelTier:
    """A tier for a model nobody has described. `parameters_b` (billions), where the server tells it, beats the name's size."""
    total = parameters_b if parameters_b is not None else parameters_from_name(name)
    if total is not None:
        return tier_from_parameters(effective_parameters(total, active_from_name(name)))
    if _MICRO_WORD.search(name.lower()):
        return ModelTier.MICRO
    family = UNTAGGED_B.get(normalise(name))
    return ModelTier.SMALL if family is None else tier_from_parameters(family)


def is_embedding_name(name: str) -> bool:
    """Does the name belong to an embedding model (`nomic-embed-text`, `bge-m3`, `intfloat/e5-large`)?"""
    return _EMBEDDING.search(name.lower()) is not None and not is_foreign_name(name)


def is_foreign_name(name: str) -> bool:
    """Does the name belong to something that neither chats nor embeds: a reranker, speech, pictures?"""
    return _NOT_TEXT.search(name.lower()) is not None


def normalise(name: str) -> str:
    """The name without organisation, file suffix and packaging; words and numbers separated by single dashes.

    >>> normalise("Qwen/Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf")
    'qwen-3-coder-30b'
    """
    text = name.lower().rsplit("/", 1)[-1].rsplit("\\", 1)[-1].removesuffix(".gguf")
    text = re.sub(r"[\s_:@+-]+", "-", text).strip("-")
    text = _PACKAGING.sub("", _SHARD.sub("", text))
    # "llama3.2" and "llama-3.2" are one name; sizes such as e4b and a3b keep their letter.
    text = re.sub(r"(?<=[a-z]{2})(?=\d)", "-", text)
    without_active = _ACTIVE.sub("", text)
    return without_active if _SIZE_TOKEN.search(without_active) else text


def index_names(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    """(name, logical id) pairs → normalised name → logical id, for `match_logical`. A name that two models claim is left out."""
    index: dict[str, str] = {}
    contested: set[str] = set()
    for name, logical_id in names:
        key = normalise(name)
        if index.setdefault(key, logical_id) != logical_id:
            contested.add(key)
    return {key: logical_id for key, logical_id in index.items() if key not in contested}


def match_logical(name: str, known: Mapping[str, str], parameters_b: float | None = None) -> str | None:
    """The logical model that `name` is, or None. `known` comes from `index_names`; `parameters_b` helps a name without a size.

    >>> match_logical("qwen/qwen3-coder-30b", index_names([("qwen3-coder:30b", "qwen3-coder-30b")]))
    'qwen3-coder-30b'
    """
    key = normalise(name)
    exact = known.get(key)
    if exact is not None:
        return exact if _agrees(key, parameters_b, NAMED_TOLERANCE) else None
    if parameters_b is None or _SIZE_TOKEN.search(key):
        return None
    # "llama3.2:latest" says nothing, the server says 3.2B: the one size of that family which is close enough.
    siblings = [other for other in known if other != key and _SIZE_TOKEN.sub("", other) == key and not _EFFECTIVE.search(other)]
    close = {known[other] for other in siblings if _agrees(other, parameters_b, GUESSED_TOLERANCE)}
    return close.pop() if len(close) == 1 else None


def cousin_of(name: str, known: Mapping[str, str], parameters_b: float | None = None) -> str | None:
    """The logical model that `name` is a variant of, of the same family and size: `qwen3-8b-thinking` → `qwen3-8b`. None without one.

    Not the same model, so it answers to its own name; but a fine-tune seldom leaves its base's tier. Arguments as for `match_logical`.
    """
    key = normalise(name)
    bases = [base for base in known if key.startswith(f"{base}-") and _SIZE_TOKEN.search(base)]
    return known[max(bases, key=len)] if bases and _agrees(key, parameters_b, NAMED_TOLERANCE) else None


def _agrees(key: str, parameters_b: float | None, tolerance: float) -> bool:
    """Can a name's size and a measured size be of one model? Silence on either side agrees, and so does an effective size."""
    claimed = parameters_from_name(key)
    if claimed is None or parameters_b is None or _EFFECTIVE.search(key):
        return True
    return abs(parameters_b - claimed) <= tolerance * claimed
