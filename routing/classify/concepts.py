"""The few words in which chores are named, in the languages that people set their tools to, reduced to one word each.

Harnesses write their prompts in English nearly always; Chinese and Japanese forks and plug-ins translate them. The list is small on
purpose. It names *what is wanted* (a title, a summary) and *how it is limited* (only, short); it never decides alone (see `chores`).
"""

from __future__ import annotations

import re

Concepts = frozenset[str]

_WORD = re.compile(r"[a-zà-öø-ÿа-яё]+(?:'[a-z]+)?")

_ENGLISH: dict[str, str] = {
    "title": "title titles titled titler heading headline",
    "summary": (
        "summary summaries summarize summarise summarizes summarizing summarising summarization summarizer summariser recap synopsis"
    ),
    "compact": "compact compacting compaction compactor compress compressing compression condense condensing condensation distill",
    "stuck": "stuck loop loops looping repetitive repetition unproductive stagnation",
    "failed": "failed fails failing failure",
    "correct": "correct corrected correcting correction",
    "action": "action actions",
    "handoff": "handoff handover checkpoint snapshot",
    "continue": "continue continuing continuation continuity resume resuming seamlessly proceed",
    "commit": "commit commits",
    "message": "message messages",
    "diff": "diff diffs patch staged",
    "branch": "branch branches",
    "name": "name names naming namer slug identifier",
    "naming": "naming namer",
    "reply": "reply response respond turn answer",
    "pull_request": "pull pr prs merge_request",
    "changelog": "changelog release_notes",
    "describe": "describe description descriptions",
    "speak": "speak speaks speaking",
    "speaker": "speaker speakers",
    "next": "next",
    "suggest": "suggest suggests suggestion suggestions suggested propose predict recommend",
    "followup": "follow followup followups",
    "question": "question questions",
    "topic": "topic topics subject isnewtopic",
    "new": "new isnewtopic",
    "change": "change changed changing shift shifts",
    "memory": "memory memories",
    "extract": "extract extracts extraction extracting extractor",
    "update": "update updates updating",
    "save": "save saved saving persist persistent store",
    "durable": "durable lasting long-term",
    "tag": "tag tags label labels keywords",
    "category": "category categories categorize categorizing",
    "classify": "classify classifies classifier classification classifying assign label score rate",
    "route": "route router routing routes",
    "complexity": "complexity complex difficulty",
    "intent": "intent intents intention",
    "query": "query queries",
    "search": "search searching searches",
    "retrieval": "retrieval retrieve",
    "write": (
        "write writes writing generate generates generating generator create creates creating creator produce produces compose draft give"
    ),
    "rewrite": "rewrite rewrites rewriting rephrase reformulate refine",
    "enhance": "enhance enhanced enhances enhancing enhancement improve improved improves improving optimize optimized",
    "prompt": "prompt prompts",
    "safety": "safety safe unsafe malicious harmful injection moderation policy permission dangerous",
    "check": "check checks checking determine determines verify decide judge assess evaluate",
    "detect": "detect detects detection detector",
    "command": "command commands",
    "content": "content text",
    "request": "request requests",
    "apply": "apply applies applying",
    "merge": "merge merges merging",
    "edit": "edit edits editing",
    "snippet": "snippet snippets",
    "file": "file files",
    "code": "code",
    "only": "only nothing solely exactly exclusively",
    "no": "no not without never don't avoid",
    "adornment": (
        "explanation explanations explain preamble commentary quotes quotation punctuation markdown backticks prefix "
        "prefixes formatting introduction additional"
    ),
    "brief": "brief briefly concise concisely short shortly terse succinct",
    "json": "json",
    "tool": "tool tools",
    "session": "session sessions thread threads chat chats",
    "context": "context",
    "history": "history",
    "conversation": (
        "conversation conversations conversational chat chats session sessions thread threads dialogue dialog transcript history discussion"
    ),
}
_CONCEPTS_OF: dict[str, tuple[str, ...]] = {}
for _concept, _words in _ENGLISH.items():
    for _word in _words.split():
        _CONCEPTS_OF[_word] = (*_CONCEPTS_OF.get(_word, ()), _concept)

_ELSEWHERE: dict[str, str] = {
    "title": "标题|標題|タイトル|제목|titre|título|titel|заголов|назван|tytuł|başlık|tiêu đề|عنوان|शीर्षक",
    "summary": ("总结|總結|摘要|概括|要約|요약|résum|resumen|resumir|resumo|zusammenfass|fasse|кратк|резюм|riassun|podsumow|özet|tóm tắt"),
    "compact": "压缩|圧縮|압축|komprimier|сожм",
    "commit": "提交|コミット|커밋|коммит",
    "message": "信息|消息|メッセージ|메시지|nachricht|mensaje|mensagem|сообщен",
    "conversation": ("对话|對話|会话|聊天|会話|대화|gespräch|unterhaltung|conversaci|conversa|диалог|беседы|разговор|konwersacj|konuşma"),
    "topic": "话题|主题|話題|주제|thema|тема",
    "new": "新的|新しい",
    "suggest": "建议|提案|제안",
    "next": "下一|次の|다음",
    "tag": "关键词|标签|タグ|태그|schlagw",
    "prompt": "提示词|プロンプト|프롬프트",
    "enhance": "优化|改善|개선|verbesser",
    "memory": "记忆|メモリ|记住",
    "extract": "提取|抽出",
    "only": (
        "只|仅|僅|のみ|だけ|만 |nur |uniquement|seulement|solo |sólo|solamente|únicamente|apenas|somente|только|tylko|sadece|chỉ |فقط|केवल"
    ),
    "no": "不要|不含|ohne |sans |sin |sem |без |なし|없이",
    "adornment": "解释|説明|설명|erklärung|explicaci|объяснен|引号|标点|anführung|comillas|guillemets|кавыч",
    "brief": "简洁|简要|简短|簡潔|短い|간결|짧|kurz|court|breve|corto|curto|краток|коротк",
    "write": "生成|作成|생성|erstelle|génère|genera|создай",
    "diff": "差异|変更|änderung|cambios|изменен",
}
"""Stems as they stand in texts, for languages without blanks between words and for those that inflect."""
_STEMS: tuple[tuple[str, str], ...] = tuple((stem, concept) for concept, stems in _ELSEWHERE.items() for stem in stems.split("|"))
_ASCII_STEMS = tuple((stem, concept) for stem, concept in _STEMS if stem.isascii())
_NAMING = frozenset(_CONCEPTS_OF)


def concepts_in(text: str) -> Concepts:
    """The concepts named in `text`, which must be lower-case."""
    found: set[str] = set()
    for word in _NAMING.intersection(_WORD.findall(text)):
        found.update(_CONCEPTS_OF[word])
    if text.isascii():
        # English is what nearly all of them are written in; the rest needs a look only where nothing of it was found.
        return frozenset(found or [concept for stem, concept in _ASCII_STEMS if stem in text])
    found.update([concept for stem, concept in _STEMS if stem in text])
    return frozenset(found)
