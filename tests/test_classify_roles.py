"""Which call is what to the harness: marks, probes, chores, readings, sub-agents, continuations; and a person's turn stays a person's.

The prompts are our own words in the shapes that clients use (reference/clients.md): no client's sentences, and none of the evaluation's.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.excerpts import chat_excerpt, completions_excerpt
from routing.classify.chores import CHORES
from routing.classify.concepts import concepts_in
from routing.classify.evidence import is_about_a_line
from routing.classify.marks import HINT_HEADERS, mark_of
from routing.classify.roles import RoleFinding, role_of
from routing.types import CallRole, ModelTier, UseCase

TALK = "USER: my importer drops rows\nASSISTANT: which format is the file?\nUSER: csv with quotes\n"
DIFF = "diff --git a/in.py b/in.py\n--- a/in.py\n+++ b/in.py\n@@ -1 +1 @@\n-rows = []\n+rows: list[Row] = []\n"
TASK = "The importer drops every row behind a quoted line break. Find out why, mend it and add a test that would have shown it."
AGENT = "You are an agent in a terminal that edits code. " + "Mind titles, summaries, commit messages, branches and memory. " * 50
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("bash", "edit", "read")]
MICRO, SMALL = ModelTier.MICRO, ModelTier.SMALL


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def role(*messages: dict[str, Any], harness: str = "unknown", hints: dict[str, str] | None = None, **more: Any) -> RoleFinding:
    return role_of(chat_excerpt({"messages": list(messages), **more}, harness=harness, hints=hints or {}))


class TestMarks:
    @pytest.mark.parametrize(
        ("hints", "expected", "chore"),
        [
            ({"x-claude-code-request-class": "compaction"}, CallRole.CHORE, "compaction"),
            ({"x-claude-code-request-class": "auxiliary"}, CallRole.CHORE, "auxiliary"),
            ({"x-claude-code-request-class": "subagent"}, CallRole.SUBAGENT, None),
            ({"x-claude-code-agent-id": "a1"}, CallRole.SUBAGENT, None),
            ({"x-openai-subagent": "collab_spawn"}, CallRole.SUBAGENT, None),
            ({"x-openai-subagent": "compact"}, CallRole.CHORE, "compaction"),
            ({"x-parent-session-id": "s1"}, CallRole.SUBAGENT, None),
            ({"x-codex-turn-metadata": '{"request_kind": "compaction"}'}, CallRole.CHORE, "compaction"),
            ({"x-codex-turn-metadata": '{"request_kind":"turn","thread_source":"thread_title"}'}, CallRole.CHORE, "title"),
        ],
    )
    def test_say_it_whatever_the_words(self, hints: dict[str, str], expected: CallRole, chore: str | None) -> None:
        found = role(system(AGENT), user(TASK), hints=hints, tools=TOOLS)
        assert (found.role, found.chore) == (expected, chore)
        assert found.confidence >= 0.9
        assert set(hints) <= set(HINT_HEADERS)

    def test_an_auxiliary_call_is_named_by_its_words(self) -> None:
        found = role(user(f"Give this a title of at most 5 words:\n{TALK}"), hints={"x-claude-code-request-class": "auxiliary"})
        assert (found.chore, found.tier) == ("title", MICRO)

    @pytest.mark.parametrize("hints", [{}, {"x-claude-code-request-class": "main"}, {"x-codex-turn-metadata": '{"request_kind":"turn"}'}])
    def test_of_a_usual_turn_say_nothing(self, hints: dict[str, str]) -> None:
        assert mark_of(hints) is None

    def test_a_sub_agents_step_is_a_continuation(self) -> None:
        """The turn's decision holds; that it is a sub-agent's says the conversation it belongs to."""
        made = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "bash", "arguments": "{}"}}]}
        found = role(
            user(TASK), made, {"role": "tool", "tool_call_id": "c", "content": "ok"}, hints={"x-parent-session-id": "s"}, tools=TOOLS
        )
        assert found.role is CallRole.CONTINUATION


CHORE_CALLS: list[tuple[str, ModelTier, dict[str, Any]]] = [
    ("title", MICRO, {"messages": [system("You make titles. Print just a title, nothing else, up to 50 characters."), user(TASK)]}),
    (
        "title",
        MICRO,
        {"messages": [user(f"Think of a title, 3 to 5 words, for this chat. JSON please.\n\n<chat_history>\n{TALK}</chat_history>")]},
    ),
    (
        "title",
        MICRO,
        {"messages": [system("You invent names."), user("Make a title for this conversation:"), user(TASK)], "max_tokens": 30},
    ),
    ("summary", MICRO, {"messages": [user(f"In one sentence, summarize what this session was about:\n\n{TALK}")]}),
    ("summary", SMALL, {"messages": [system("Summarize parts of a conversation, keep every file name. Only the summary."), user(TALK)]}),
    ("compaction", SMALL, {"messages": [system("You compact the history of an agent. Reply only with the result."), user(TALK)]}),
    ("commit_message", MICRO, {"messages": [system("Write a commit message for a diff, one line, no explanation."), user(DIFF)]}),
    ("commit_message", MICRO, {"messages": [user(f"Which commit message fits? At most 60 characters.\n\n{DIFF}")]}),
    ("branch_name", MICRO, {"messages": [user(f"Find a name for the git branch: 4 words at most, only the name.\n\n{TASK}")]}),
    ("topic_check", MICRO, {"messages": [system("Check whether a message opens a new topic. JSON only: is_new, label."), user(TASK)]}),
    (
        "next_speaker",
        MICRO,
        {"messages": [user(TASK), assistant("Next I look at it."), user("By your reply, who is to speak next? Only JSON.")]},
    ),
    (
        "suggestion",
        MICRO,
        {"messages": [user(f"Suggest three follow-up questions to this conversation as a JSON list, only that.\n\n{TALK}")]},
    ),
    ("tags", MICRO, {"messages": [user(f"Write 1-3 words as tags for the conversation, as JSON.\n\n{TALK}")]}),
    ("memory", SMALL, {"messages": [system("Extract what is worth keeping in memory from a conversation. JSON only."), user(TALK)]}),
    ("prompt_enhancement", SMALL, {"messages": [user(f"Improve this prompt; answer only with the better prompt, no quotes:\n\n{TASK}")]}),
    ("search_query", MICRO, {"messages": [user(f"Write search queries for the last question of this chat, only JSON.\n\n{TALK}")]}),
    ("safety_check", SMALL, {"messages": [system("Decide if a command is safe. One word, nothing else."), user("Command: git status")]}),
    (
        "edit_apply",
        SMALL,
        {"messages": [system("Apply an edit to a file. Only code, no explanation."), user("<code>a</code>\n<update>b</update>")]},
    ),
]


class TestChores:
    @pytest.mark.parametrize(("chore", "tier", "body"), CHORE_CALLS, ids=[f"{name}-{i}" for i, (name, _, _) in enumerate(CHORE_CALLS)])
    def test_are_told_by_their_shape(self, chore: str, tier: ModelTier, body: dict[str, Any]) -> None:
        found = role_of(chat_excerpt(body))
        assert (found.role, found.chore, found.tier) == (CallRole.CHORE, chore, tier)
        assert found.reasons
        assert found.difficulty is not None

    @pytest.mark.parametrize(
        ("chore", "orders", "material"),
        [
            ("title", "为这段对话生成一个简短的标题，只输出标题，不要引号，不超过10个字。", "用户: 导入程序丢行\n助手: 什么格式?"),
            ("title", "この会話の短いタイトルを作成してください。タイトルのみ、説明なし。", "user: 行が消える\nassistant: 形式は?"),
            ("title", "Erstelle einen kurzen Titel für dieses Gespräch, höchstens 5 Wörter, nur den Titel.", TALK),
            ("title", "Escribe un título breve para esta conversación, máximo 5 palabras, solo el título.", TALK),
            ("title", "Дай короткое название этому разговору, до 5 слов, только название.", TALK),
            ("commit_message", "根据 diff 写一条简短的提交信息，只输出信息本身。", DIFF),
            ("summary", "Fais un résumé de cette conversation, uniquement le résumé.", TALK),
        ],
    )
    def test_in_other_languages(self, chore: str, orders: str, material: str) -> None:
        found = role(system(orders), user(material))
        assert (found.role, found.chore) == (CallRole.CHORE, chore)

    def test_long_input_changes_nothing(self) -> None:
        found = role(user(f"Give this conversation a title, 3-5 words, only the title.\n\n{TALK * 2000}"))
        assert (found.chore, found.tier) == ("title", MICRO)

    def test_a_schema_names_it_without_a_word(self) -> None:
        """Claude Code's title: no tools, a schema with one member. The words are of no language at all."""
        schema = {"format": {"type": "json_schema", "schema": {"properties": {"title": {"type": "string"}}}}}
        found = role(system("zzz qqq"), user(f"<session>\n{TASK}\n</session>"), output_config=schema, harness="claude-code")
        assert (found.role, found.chore) == (CallRole.CHORE, "title")

    def test_a_coding_agent_without_its_tools_needs_less_evidence(self) -> None:
        call = (system("You title things briefly."), user(TASK))
        assert role(*call, harness="sdk").role is CallRole.MAIN
        assert role(*call, harness="opencode").chore == "title"

    @pytest.mark.parametrize(
        ("order", "chore"),
        [
            ("[SUGGESTION] Suggest what the user may type next. 2-12 words, only that.", "suggestion"),
            ("Summarize the conversation so far so that the work can continue. Only the summary, no tools.", "compaction"),
            ("Text only, do not call tools.\n\n" + "Go through it all. " * 60 + "\n\nRespond with a <summary>, no tools.", "summary"),
        ],
    )
    def test_the_harness_may_speak_up_in_a_running_loop(self, order: str, chore: str) -> None:
        found = role(system(AGENT), user(TASK), assistant("Done."), user(order), tools=TOOLS)
        assert (found.role, found.chore) == (CallRole.CHORE, chore)

    def test_an_order_behind_another_message_of_the_same_turn_is_found(self) -> None:
        found = role(user(TASK * 40), user("Look at your last response. Who is to speak next, user or model? Only JSON."))
        assert found.chore == "next_speaker"

    def test_an_order_before_the_material_and_again_behind_it_is_a_template(self) -> None:
        log = "12:00 worker 7 finished its batch\n" * 80
        once = f"Briefly summarize the following, keep the errors.\n\n{log}"
        assert role(user(once)).role is CallRole.MAIN
        assert role(user(f"{once}\n\nReturn the summary first, then every error.")).chore == "summary"

    def test_a_coding_agent_without_tools_is_about_its_own_business_even_unnamed(self) -> None:
        found = role(system("zzz"), user("qqq"), harness="gemini-cli")
        assert (found.role, found.chore, found.tier) == (CallRole.CHORE, "auxiliary", SMALL)
        assert role(system("zzz"), user("qqq"), harness="gemini-cli", tools=TOOLS).role is CallRole.MAIN
        assert role(user("qqq"), harness="gemini-cli").role is CallRole.MAIN

    def test_each_kind_has_one_name_and_one_tier(self) -> None:
        assert len({(chore.name, chore.tier) for chore in CHORES}) == len({chore.name for chore in CHORES})


class TestPeople:
    @pytest.mark.parametrize(
        "said",
        [
            "Think of a catchy title for my post about sourdough, then outline it in five sections.",
            "Summarize the causes of the French revolution.",
            "What does git commit --amend do? Be brief.",
            "Suggest three books for the next holiday, only titles and authors.",
            "Write a chat application with sessions, titles and a message history. Only code, no explanation.",
            "Translate into French, nothing else: 'The session name must be unique.'",
            "Create a branch-and-bound solver with a name for each node.",
            "hi",
            "写一个带标题和会话的聊天程序。",
        ],
    )
    def test_are_not_taken_for_a_harness(self, said: str) -> None:
        found = role(user(said))
        assert (found.role, found.tier, found.chore) == (CallRole.MAIN, None, None)

    @pytest.mark.parametrize(
        "said",
        [
            "Write a commit message for what is staged, only one line, and commit it.",
            "rename the title field everywhere, nothing else",
            "Summarize this repository in one sentence.",
            TASK,
        ],
    )
    def test_with_tools_on_offer_it_is_the_main_loop(self, said: str) -> None:
        assert role(system(AGENT), user(said), tools=TOOLS).role is CallRole.MAIN

    def test_a_further_turn_of_the_loop_is_a_turn(self) -> None:
        found = role(system(AGENT), user(TASK), assistant("Done."), user("Now describe the change in the changelog."), tools=TOOLS)
        assert found.role is CallRole.MAIN


class TestTheRest:
    def test_a_tool_result_at_the_end_is_a_continuation(self) -> None:
        made = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "bash", "arguments": "{}"}}]}
        found = role(user(TASK), made, {"role": "tool", "tool_call_id": "c", "content": "ok"}, tools=TOOLS)
        assert (found.role, found.tier) == (CallRole.CONTINUATION, None)

    @pytest.mark.parametrize("body", [{"messages": [user("quota")], "max_tokens": 1}, {"messages": []}, {"messages": [user("")]}])
    def test_a_probe_is_a_warm_up(self, body: dict[str, Any]) -> None:
        found = role_of(chat_excerpt(body))
        assert (found.chore, found.tier) == ("warm_up", MICRO)

    def test_hi_with_room_for_an_answer_is_a_person(self) -> None:
        assert role(user("hi"), max_tokens=1000).role is CallRole.MAIN

    def test_a_gap_to_fill_is_autocompletion(self) -> None:
        for excerpt in (
            completions_excerpt({"prompt": "def f(", "suffix": "return x"}),
            completions_excerpt({"prompt": "<PRE> def f( <SUF> return x <MID>"}),
            chat_excerpt({"messages": [user("<|fim_prefix|>def f(<|fim_suffix|>return x<|fim_middle|>")]}),
        ):
            found = role_of(excerpt)
            assert (found.chore, found.tier, found.use_case) == ("autocomplete", MICRO, UseCase.CODE)

    def test_a_plain_completion_is_left_to_the_model(self) -> None:
        found = role_of(completions_excerpt({"prompt": "Once upon a time"}))
        assert (found.role, found.tier) == (CallRole.MAIN, None)

    @pytest.mark.parametrize("kind", ["subagent", "sub-agent"])
    def test_a_system_prompt_may_speak_to_a_sub_agent(self, kind: str) -> None:
        assert role(system(f"You are a {kind} that searches files."), user(TASK), tools=TOOLS).role is CallRole.SUBAGENT

    def test_a_question_about_material_that_is_there_is_reading(self) -> None:
        order = system("Answer the user's question strictly from the passages below the line.")
        passages = user("Passages:\n" + "The ferry leaves at nine and at noon. " * 60)
        found = role(order, passages, assistant("I have read them."), user("When does it leave?"))
        assert (found.role, found.tier) == (CallRole.MAIN, MICRO)

    def test_without_material_the_same_order_is_no_reading(self) -> None:
        found = role(system("Answer the user's question strictly from the passages below the line."), user("When does it leave?"))
        assert found.tier is None

    def test_a_long_task_that_goes_with_material_is_no_reading(self) -> None:
        order = system("Answer questions based on the documents provided.")
        found = role(order, user("Redesign the protocol in these documents, prove it free of deadlocks. " * 60))
        assert found.tier is None


@given(st.text(max_size=400), st.text(max_size=400), st.booleans())
def test_any_text_has_a_role_and_the_same_one_twice(first: str, second: str, with_tools: bool) -> None:
    body = {"messages": [system(first), user(second)], "tools": TOOLS if with_tools else []}
    found = role_of(chat_excerpt(body))
    assert found == role_of(chat_excerpt(body))
    assert 0 <= found.confidence <= 1
    assert (found.tier is None) == (found.difficulty is None)


class TestConcepts:
    def test_words_of_one_meaning_are_one_concept(self) -> None:
        assert concepts_in("summarise") >= {"summary"}
        assert concepts_in("总结") >= {"summary"}
        assert "title" not in concepts_in("entitled subtitle")

    @pytest.mark.parametrize(
        "limit",
        ["3-5 words", "max 80 characters", "one sentence", "1-2 sentences", "in a single line", "不超过10个字", "höchstens 5 wörter"],
    )
    def test_a_line_is_short_in_any_unit(self, limit: str) -> None:
        assert is_about_a_line(limit)

    @pytest.mark.parametrize("limit", ["200-400 words", "3 paragraphs", "10 sentences", "5 files"])
    def test_more_is_not(self, limit: str) -> None:
        assert not is_about_a_line(limit)
