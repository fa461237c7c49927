"""What matters most about the answer, from the shape of the task: cost and speed, a balance, or quality."""

from __future__ import annotations

from routing.types import CallRole, ModelTier, Objective, UseCase

QUALITY_FROM = 0.75
CHEAP_BELOW = 0.35
"""Difficulties, on the classifier's scale: about the highest fifth and the lowest third of the training data."""

CAREFUL = frozenset({
    "security", "vulnerability", "vulnerabilities", "exploit", "authentication", "authorization", "encryption", "cryptographic",
    "credentials", "privacy", "compliance", "audit", "migration", "migrate", "production", "outage", "incident", "architecture",
    "architect", "design", "scalability", "scalable", "distributed", "concurrency", "deadlock", "consistency", "failover",
    "payment", "payments", "billing", "medical", "legal", "prove", "proof", "theorem", "sicherheit", "architektur", "entwirf",
    "beweise", "sécurité", "démontre", "seguridad", "arquitectura", "demuestra", "segurança", "arquitetura", "безопасность",
    "архитектура", "архитектуру", "докажи", "bezpieczeństwo", "güvenlik", "bảo_mật", "安 全", "架 构", "证 明", "漏 洞", "設 計", "証 明",
    "보 안", "설 계", "증 명", "الأمان", "أثبت", "सुरक्षा",
})  # fmt: skip
"""Where a mistake is dear: security, architecture, proofs, what touches money or production."""
PLAIN = frozenset({
    "docs", "documentation", "docstring", "docstrings", "readme", "comment", "comments", "changelog", "typo", "typos", "rename",
    "format", "formatting", "lint", "tests", "test", "unit test", "unit tests", "fixture", "boilerplate", "translate", "summarize",
    "list", "dokumentation", "kommentar", "commentaire", "documentación", "comentario", "documentação", "документация",
    "комментарий", "dokumentacja", "文 档", "注 释", "测 试", "翻 译", "テ ス", "翻 訳", "문 서", "주 석", "번 역",
})  # fmt: skip
"""Where a mistake is seen at once and cheap to mend: documentation, tests, formatting."""


def objective_of(role: CallRole, tier: ModelTier, use_case: UseCase, difficulty: float, grams: set[str]) -> Objective:
    """The objective of a task. Chores and embeddings are low risk by their nature; otherwise words of care come before words of routine."""
    if role is CallRole.CHORE or use_case is UseCase.EMBED or tier is ModelTier.MICRO:
        return Objective.COST_SPEED
    careful = len(grams & CAREFUL)
    if tier is ModelTier.FRONTIER or careful > 1 or (careful and tier is ModelTier.MID) or difficulty >= QUALITY_FROM:
        return Objective.QUALITY
    if not careful and ((tier is ModelTier.SMALL and difficulty < CHEAP_BELOW) or not grams.isdisjoint(PLAIN)):
        return Objective.COST_SPEED
    return Objective.BALANCED
