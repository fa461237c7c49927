"""What the shipped weights make of requests that none of their training data contains, in the languages that harnesses are used in."""

from __future__ import annotations

import importlib.resources

import pytest

from config.classifier import load_classifier
from routing.types import ModelTier, Objective, UseCase
from tests.classify_samples import excerpt

SIZE_LIMIT = 2_000_000

CODE = (
    "Write a function in Kotlin that shuffles a deck of cards",
    "My docker container exits with code 137 as soon as the server starts. What is wrong?",
    "Schreibe ein Python-Skript, das doppelte Dateien in einem Ordner findet",
    "Écris une fonction qui trie une liste de dates en JavaScript",
    "Escribe una consulta SQL que muestre las ventas por mes",
    "Напиши функцию на Python, которая считает слова в строке",
    "写一个 Python 函数，统计文本中每个单词的出现次数",
    "リストの要素を逆順にする関数を書いてください",
    "문자열을 뒤집는 함수를 작성해줘",
    "اكتب دالة بلغة بايثون ترتب قائمة من الأرقام",
)
CHAT = (
    "Tell me a story about a baker who finds a map",
    "How do I keep basil alive in the kitchen during winter?",
    "Schreibe ein kurzes Gedicht über den Regen",
    "Raconte une histoire drôle sur un chat",
    "¿Qué puedo cocinar con pollo y arroz?",
    "Расскажи сказку про лису и медведя",
    "写一首关于冬天的诗",
    "夏についての短い詩を書いてください",
    "겨울에 대한 짧은 시를 써 주세요",
)
SEARCH = (
    "What is the weather in Lisbon today?",
    "Find the cheapest hotel in Porto for next weekend with a rating above 8",
    "Search for the latest reviews of the new headphones and their price",
)


@pytest.mark.parametrize(
    ("texts", "use_case"), [(CODE, UseCase.CODE), (CHAT, UseCase.CHAT), (SEARCH, UseCase.SEARCH)], ids=["code", "chat", "search"]
)
def test_use_cases(texts: tuple[str, ...], use_case: UseCase) -> None:
    wrong = [text for text in texts if load_classifier().classify(excerpt(text)).use_case is not use_case]
    assert wrong == []


@pytest.mark.parametrize(
    ("easy", "hard"),
    [
        ("Hello there", "Prove that the set of algebraic numbers is countable"),
        ("What is a compiler?", "Design a distributed job scheduler that survives the loss of a region, and prove that no job runs twice"),
        ("Was ist ein Algorithmus?", "Beweise, dass es keine größte Primzahl gibt, und verallgemeinere den Beweis"),
        ("什么是算法？", "证明：任意连续函数在闭区间上一致连续"),
    ],
)
def test_a_proof_or_an_architecture_needs_more_than_a_greeting_or_a_definition(easy: str, hard: str) -> None:
    below, above = (load_classifier().classify(excerpt(text)) for text in (easy, hard))
    assert below.tier in (ModelTier.MICRO, ModelTier.SMALL)
    assert above.tier is ModelTier.FRONTIER
    assert (below.objective, above.objective) == (Objective.COST_SPEED, Objective.QUALITY)


def test_the_file_is_small() -> None:
    raw = importlib.resources.files("config").joinpath("data", "classifier.bin").read_bytes()
    assert len(raw) <= SIZE_LIMIT
