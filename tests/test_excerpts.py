"""What the classifier gets to see of a body: the human turn without scaffolding, the steps since, edges only, and never an exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects import chat, completions, embeddings
from providers.dialects.excerpts import chat_excerpt, completions_excerpt, embeddings_excerpt
from routing.classify.excerpt import HEAD_CHARS, STEPS_KEPT, TAIL_CHARS, Excerpt

ASK = "Rename the parser's entry point and keep the old name as an alias."
SYSTEM = {"role": "system", "content": "You look after a code base."}
EDGES = HEAD_CHARS + TAIL_CHARS


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = "") -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def call(name: str = "bash", arguments: Any = '{"command":"ls"}', call_id: str = "c1") -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}]}


def result(content: Any = "a.py", call_id: str = "c1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def of(*messages: Any, **more: Any) -> Excerpt:
    return chat_excerpt({"messages": list(messages), **more})


class TestTheHumanTurn:
    def test_the_last_one_counts_and_the_first_one_is_the_opening(self) -> None:
        excerpt = of(SYSTEM, user(ASK), assistant("Done."), user("Now the docs."))
        assert (excerpt.human, excerpt.opening, excerpt.system) == ("Now the docs.", ASK, SYSTEM["content"])
        assert (excerpt.messages, excerpt.human_turns, excerpt.assistant_turns) == (4, 2, 1)

    def test_with_one_turn_the_opening_is_the_same_object(self) -> None:
        excerpt = of(SYSTEM, user(ASK))
        assert excerpt.opening is excerpt.human

    def test_messages_in_a_row_are_one_turn_and_the_last_of_them_is_kept_apart(self) -> None:
        excerpt = of(SYSTEM, user("Name this conversation:"), user(ASK))
        assert excerpt.human == f"Name this conversation:\n{ASK}"
        assert excerpt.said_last == ASK

    def test_a_single_text_is_not_repeated_as_the_last(self) -> None:
        assert of(user(ASK)).said_last == ""

    def test_tool_results_are_no_turn(self) -> None:
        excerpt = of(user(ASK), call(), result())
        assert excerpt.human == ASK
        assert excerpt.ends_with_result

    def test_anthropics_tool_results_are_no_turn_either(self) -> None:
        made = assistant([{"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a.py"}}])
        back = user([{"type": "tool_result", "tool_use_id": "t1", "content": [text("x = 1")], "is_error": True}])
        excerpt = of(user(ASK), made, back)
        assert (excerpt.human, excerpt.human_turns, excerpt.ends_with_result) == (ASK, 1, True)
        assert excerpt.steps[0]._asdict() == {"tool": "Read", "arguments": "path=a.py", "result": "x = 1", "failed": True}

    def test_text_beside_a_tool_result_is_a_turn(self) -> None:
        """Claude Code asks for compaction so: the pending result and the order, in one message."""
        back = user([{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}, text("Condense what happened so far.")])
        excerpt = of(user(ASK), assistant([{"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}]), back)
        assert excerpt.human == "Condense what happened so far."
        assert not excerpt.ends_with_result

    def test_an_order_that_the_harness_gives_as_the_system_behind_an_answer_is_the_turn(self) -> None:
        excerpt = of(user(ASK), assistant("Done."), {"role": "system", "content": "Sum it up."})
        assert excerpt.human == "Sum it up."

    def test_a_reminder_behind_the_turn_is_not(self) -> None:
        assert of(user(ASK), {"role": "system", "content": "Today is Friday."}).human == ASK

    def test_developer_messages_and_a_top_level_system_are_system_text(self) -> None:
        assert of({"role": "developer", "content": "Be kind."}, user(ASK)).system == "Be kind."
        assert of(user(ASK), system=[text("You are kind."), text("And brief.")]).system == "You are kind.\nAnd brief."

    def test_the_billing_line_is_left_out_but_its_mark_is_kept(self) -> None:
        billing = "x-anthropic-billing-header: cc_version=2.1; cc_is_subagent=true;"
        excerpt = of(user(ASK), system=[text(billing), text("You search files.")])
        assert excerpt.system == "You search files."
        assert excerpt.hints["x-claude-code-request-class"] == "subagent"

    def test_a_picture_counts_where_it_is_in_the_turn(self) -> None:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
        assert of(user([text("What is it?"), picture])).has_images
        assert not of(user([text("What is it?"), picture]), assistant("A cat."), user("Thanks!")).has_images


class TestScaffolding:
    @pytest.mark.parametrize(
        "around",
        [
            "<system-reminder>\nIt is Friday.\n</system-reminder>\n{ask}",
            "<environment_context>\n  <cwd>/work</cwd>\n</environment_context>\n\n{ask}",
            "{ask}\n\n<environment_details>\n# Open tabs\na.py\n</environment_details>",
            "<user_query>\n{ask}\n</user_query>",
            "<task>\n{ask}\n</task>\n\n<environment_details>\nTime: now\n</environment_details>",
            "# AGENTS.md instructions for /work\n\n<INSTRUCTIONS>\nNever push.\n</INSTRUCTIONS>\n{ask}",
        ],
    )
    def test_is_taken_off_the_edges(self, around: str) -> None:
        assert of(user(around.format(ask=ASK))).human == ASK

    def test_is_dropped_as_a_part_or_a_message_of_its_own(self) -> None:
        reminder = "<system-reminder>\nSkills: none.\n</system-reminder>"
        assert of(user([text(reminder), text(ASK)])).human == ASK
        assert of(user("<environment_context>here</environment_context>"), user(ASK)).human == ASK

    @pytest.mark.parametrize(
        "said",
        [
            "What does <system-reminder>…</system-reminder> mean in this log?",
            "<context>Paris is in France.</context>\nWhere is Paris?",
            "<div class='x'>Why is this not centred?</div>",
            "<system-reminder>an element without its end",
        ],
    )
    def test_what_a_person_writes_stays(self, said: str) -> None:
        assert of(user(said)).human == said

    def test_a_turn_of_nothing_but_scaffolding_is_no_turn(self) -> None:
        excerpt = of(user("<session_context>x</session_context>"))
        assert (excerpt.human, excerpt.human_chars) == ("", 0)

    @pytest.mark.parametrize(
        "observation",
        [
            "[read_file for 'a.py'] Result:\nx = 1",
            "OBSERVATION:\na.py b.py",
            "EXECUTION RESULT of [execute_bash]:\nok",
            "<returncode>0</returncode>\n<output>\nok\n</output>",
            "<task-notification>\n<status>completed</status>\n</task-notification>",
            "[ERROR] You did not use a tool in your previous response!",
            "<tool_response>\n{}\n</tool_response>",
        ],
    )
    def test_what_a_tool_said_with_the_users_role_is_a_result(self, observation: str) -> None:
        excerpt = of(user(ASK), assistant("<read_file>\n<path>a.py</path>\n</read_file>"), user(observation))
        assert excerpt.human == ASK
        assert excerpt.ends_with_result
        assert [(step.tool, step.result) for step in excerpt.steps] == [("read_file", observation)]

    def test_a_person_who_begins_so_is_still_a_person(self) -> None:
        assert of(user("[tool result] is printed twice, why?")).human_chars > 0
        assert of(user(ASK), assistant("Done."), user("Output should be sorted.")).human == "Output should be sorted."


class TestSteps:
    def test_calls_are_paired_with_what_came_back(self) -> None:
        excerpt = of(
            user(ASK), call("read", '{"path":"a"}', "c1"), call("bash", '{"command":"ls"}', "c2"), result("2", "c2"), result("1", "c1")
        )
        assert [(step.tool, step.result) for step in excerpt.steps] == [("read", "1"), ("bash", "2")]

    def test_only_those_since_the_last_human_turn_count(self) -> None:
        assert of(user(ASK), call(), result(), assistant("Done."), user("Again.")).steps == ()

    def test_a_call_without_a_result_has_an_empty_one(self) -> None:
        excerpt = of(user(ASK), call())
        assert [step.result for step in excerpt.steps] == [""]
        assert not excerpt.ends_with_result

    def test_the_newest_are_kept(self) -> None:
        rounds = [message for i in range(STEPS_KEPT + 8) for message in (call("bash", str(i), f"c{i}"), result(str(i), f"c{i}"))]
        kept = [step.arguments for step in of(user(ASK), *rounds).steps]
        assert kept == [str(i) for i in range(8, STEPS_KEPT + 8)]

    def test_long_arguments_of_another_length_stay_different(self) -> None:
        one, two = (of(user(ASK), call(arguments="x" * length)).steps[0].arguments for length in (5000, 5001))
        assert one != two
        assert max(len(one), len(two)) < 1000

    def test_the_legacy_function_call_is_a_step(self) -> None:
        made = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
        excerpt = of(user(ASK), made, {"role": "function", "name": "look", "content": "seen"})
        assert [tuple(step) for step in excerpt.steps] == [("look", "{}", "seen", False)]


class TestOtherMembers:
    def test_tools_json_and_ceilings(self) -> None:
        schema = {"type": "json_schema", "json_schema": {"schema": {"properties": {"title": {}, "why": {}}}}}
        tools = [{"type": "function", "function": {"name": "bash"}}, {"name": "Edit"}, {"type": "web_search"}]
        excerpt = of(user(ASK), tools=tools, response_format=schema, max_completion_tokens=64, max_tokens=9)
        assert excerpt.tool_names == ("bash", "Edit", "web_search")
        assert (excerpt.wants_json, excerpt.answer_fields, excerpt.output_tokens_max) == (True, ("title", "why"), 64)

    def test_anthropics_output_config_asks_for_json_too(self) -> None:
        wanted = {"format": {"type": "json_schema", "schema": {"properties": {"title": {"type": "string"}}}}}
        assert of(user(ASK), output_config=wanted).answer_fields == ("title",)

    def test_every_dialect_makes_its_own(self) -> None:
        hints = {"x-parent-session-id": "s"}
        made = chat.DIALECT.excerpt({"messages": [user(ASK)]}, "opencode", hints)
        assert (made.endpoint, made.harness, made.hints) == ("chat", "opencode", hints)
        assert completions.DIALECT.excerpt({"prompt": "def f("}, "sdk", {}).human == "def f("
        assert embeddings.DIALECT.excerpt({"input": ["a", "b"]}, "sdk", {}).human == "a\nb"

    def test_a_completion_with_a_suffix_shows_its_gap(self) -> None:
        assert completions_excerpt({"prompt": "def f(", "suffix": "return x"}).human == "def f(\n<|fim_suffix|>return x"

    def test_numbers_instead_of_texts_say_nothing(self) -> None:
        assert embeddings_excerpt({"input": [[1, 2], [3]]}).human == ""


class TestBounds:
    def test_a_large_body_gives_a_small_excerpt(self) -> None:
        long = "word " * 80_000
        steps = [message for i in range(40) for message in (call("bash", long, f"c{i}"), result(long, f"c{i}"))]
        excerpt = of({"role": "system", "content": long}, user([text(long)] * 3), *steps)
        room = EDGES + 20
        assert excerpt.human_chars == 3 * len(long)
        assert max(len(excerpt.system), len(excerpt.human), len(excerpt.said_last)) <= room
        assert sum(len(step.arguments) + len(step.result) for step in excerpt.steps) <= STEPS_KEPT * 2 * 900

    def test_the_edges_are_what_is_kept(self) -> None:
        human = of(user("first " + "x" * 10_000 + " last")).human
        assert human.startswith("first ")
        assert human.endswith(" last")

    def test_a_long_loop_is_read_from_its_end(self) -> None:
        """Behind 1,000 steps the turn is too far back to look for; the opening stands in."""
        steps = [message for i in range(1000) for message in (call(call_id=f"c{i}"), result(call_id=f"c{i}"))]
        excerpt = of(SYSTEM, user(ASK), *steps)
        assert (excerpt.human, len(excerpt.steps), excerpt.ends_with_result) == (ASK, STEPS_KEPT, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
KINDS = st.sampled_from(["text", "tool_use", "tool_result", "image_url", "thinking"]) | JSON
PART = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("text", "content", "input", "tool_use_id", "is_error", "name"), JSON) | {"type": KINDS}
)
CALL = st.fixed_dictionaries(
    {}, optional={"id": JSON, "function": JSON | st.fixed_dictionaries({"name": JSON, "arguments": JSON}), "custom": JSON}
)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool", "function"]) | JSON
MESSAGE = JSON | st.fixed_dictionaries(
    {},
    optional={"role": ROLES, "content": JSON | st.lists(PART | JSON, max_size=3), "tool_calls": st.lists(CALL | JSON, max_size=2) | JSON},
)
OTHER_MEMBERS = ("system", "tools", "functions", "response_format", "output_config", "max_tokens", "prompt", "suffix", "input")
BODY = st.fixed_dictionaries(
    {},
    optional={
        "messages": st.lists(MESSAGE, max_size=6) | JSON,
        **dict.fromkeys(OTHER_MEMBERS, JSON),
    },
)


@given(BODY)
def test_whatever_json_can_hold_makes_an_excerpt(body: dict[str, Any]) -> None:
    for excerpt in (chat_excerpt(body), completions_excerpt(body), embeddings_excerpt(body)):
        texts = (excerpt.system, excerpt.human, excerpt.opening, excerpt.said_last, *excerpt.tool_names, *excerpt.answer_fields)
        assert all(isinstance(one, str) for one in texts)
        assert all(isinstance(part, str) for step in excerpt.steps for part in step[:3])
        assert excerpt.input_tokens_estimated >= 1
