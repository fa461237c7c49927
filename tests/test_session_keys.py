"""The keys under which conversations are remembered: the same for the calls of one, different for any two."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects._openings import CHECKSUMMED_CHARS, VOLATILE_PREFIX, WHOLE_CHARS, chat_opening
from proxy.session import HEADERS, chore_keys, keys_of, sender_of

SYSTEM = {"role": "system", "content": "You are a coding agent. " * 200}
TOOLS = [{"type": "function", "function": {"name": name, "description": "…"}} for name in ("read", "write", "shell")]


def body(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [SYSTEM, *messages], "tools": TOOLS, **more}


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: Any = None, call: str | None = None) -> dict[str, Any]:
    calls = [{"id": call, "type": "function", "function": {"name": "read", "arguments": "{}"}}] if call else []
    return {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}


def keys(data: dict[str, Any], client: str | None = None, **headers: str) -> tuple[str, ...]:
    by_name = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return keys_of(chat_opening(data), sender_of(by_name, client))


class TestWithoutASession:
    def test_h2_the_second_turn_is_found_under_the_firsts_key(self) -> None:
        first = keys(body(user("fix it")))
        second = keys(body(user("fix it"), assistant("done"), user("and now?")))
        assert len(first) == 1
        assert first[0] in second

    def test_h2_from_the_second_turn_on_the_key_stays(self) -> None:
        talk = [user("fix it"), assistant(call="c1"), {"role": "tool", "tool_call_id": "c1", "content": "ok"}, assistant("done")]
        assert keys(body(*talk[:2])) == keys(body(*talk)) == keys(body(*talk, user("more"), assistant("x"), user("y")))

    def test_h4_agents_that_share_a_scaffold_but_not_the_task_differ(self) -> None:
        one, other = keys(body(user("fix the parser"))), keys(body(user("fix the lexer")))
        assert not set(one) & set(other)

    @pytest.mark.parametrize("size", [WHOLE_CHARS - 10, WHOLE_CHARS + 10, CHECKSUMMED_CHARS - 10])
    def test_h4_tasks_that_differ_only_in_the_middle_differ(self, size: int) -> None:
        half = "x" * (size // 2)
        assert keys(body(user(half + "a" + half))) != keys(body(user(half + "b" + half)))

    def test_h4_equal_openings_that_go_different_ways_part(self) -> None:
        one = keys(body(user("fix it"), assistant("I read the parser"), user("go on")))
        other = keys(body(user("fix it"), assistant("I read the lexer"), user("go on")))
        assert one[0] != other[0]
        assert one[1] == other[1]

    def test_tool_calls_tell_answers_apart(self) -> None:
        assert keys(body(user("fix it"), assistant(call="c1")))[0] != keys(body(user("fix it"), assistant(call="c2")))[0]

    def test_clients_differ(self) -> None:
        assert keys(body(user("fix it")), "me") != keys(body(user("fix it")), "you")

    @pytest.mark.parametrize("name", ["prompt_cache_key", "user"])
    def test_names_that_may_be_shared_tell_apart_but_do_not_unite(self, name: str) -> None:
        assert keys(body(user("fix it"), **{name: "a"})) != keys(body(user("fix it"), **{name: "b"}))
        assert keys(body(user("fix it"), **{name: "a"})) != keys(body(user("test it"), **{name: "a"}))

    def test_marks_of_the_cache_and_the_form_of_the_content_do_not_count(self) -> None:
        marked = [{"type": "text", "text": "fix it", "cache_control": {"type": "ephemeral"}}]
        assert keys(body(user("fix it"))) == keys(body(user(marked)))

    def test_the_billing_line_of_claude_code_does_not_count(self) -> None:
        def opening(number: int) -> dict[str, Any]:
            line = {"type": "text", "text": f"{VOLATILE_PREFIX} cc_version=2.1.329.{number}; cc_entrypoint=cli;"}
            return {"messages": [{"role": "system", "content": [line, {"type": "text", "text": "You are"}]}, user("fix it")]}

        assert keys(opening(1)) == keys(opening(2))

    def test_nor_where_a_gateway_has_made_a_message_of_it(self) -> None:
        def opening(number: int) -> dict[str, Any]:
            line = f"{VOLATILE_PREFIX} cc_version=2.1.329.{number}; cc_entrypoint=cli;"
            return {"messages": [{"role": "system", "content": line}, {"role": "system", "content": "You are"}, user("fix it")]}

        assert keys(opening(1)) == keys(opening(2))

    def test_an_odd_role_is_anybodys(self) -> None:
        assert keys({"messages": [{"role": ["user"], "content": "fix it"}]}) == keys({"messages": [user("fix it")]})

    def test_pictures_tell_apart(self) -> None:
        def picture(url: str) -> dict[str, Any]:
            return body(user([{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": {"url": url}}]))

        assert keys(picture("https://a/1.png")) != keys(picture("https://a/2.png"))

    def test_nothing_to_go_by_is_no_key(self) -> None:
        assert keys({"messages": [assistant("hello")]}) == ()
        assert keys({}) == ()


class TestWithASession:
    @pytest.mark.parametrize("name", [header.decode() for header in HEADERS])
    def test_a_header_names_the_conversation_whatever_its_messages(self, name: str) -> None:
        by_name = {name.encode(): b"s-1"}
        opening = chat_opening(body(user("fix it")))
        found = keys_of(opening, sender_of(by_name, None))
        assert found == keys_of(chat_opening(body(user("compacted: …"))), sender_of(by_name, None))
        assert found != keys_of(opening, sender_of({name.encode(): b"s-2"}, None))
        assert keys_of(opening, sender_of(by_name, "me")) != keys_of(opening, sender_of(by_name, "you"))

    def test_donuts_own_header_comes_first(self) -> None:
        talk = body(user("fix it"))
        assert keys(talk, x_donut_session="s", x_session_id="1") == keys(talk, x_donut_session="s", x_session_id="2")

    def test_chores_of_a_session_are_conversations_of_their_own(self) -> None:
        title = {"messages": [{"role": "system", "content": "You write titles."}, user("fix it")]}
        assert keys(title, x_session_id="s") != keys(body(user("fix it")), x_session_id="s")

    @pytest.mark.parametrize("mark", ["x_claude_code_agent_id", "x_openai_subagent", "x_parent_session_id"])
    def test_sub_agents_of_a_session_are_conversations_of_their_own(self, mark: str) -> None:
        talk = body(user("fix it"))
        assert keys(talk, session_id="s") != keys(talk, session_id="s", **{mark: "a"})
        assert keys(talk, session_id="s", **{mark: "a"}) == keys(talk, session_id="s", **{mark: "a"})

    def test_codex_sub_agents_differ_by_their_thread(self) -> None:
        talk = body(user("fix it"))
        assert keys(talk, session_id="s", thread_id="t1") != keys(talk, session_id="s", thread_id="t2")

    @pytest.mark.parametrize(
        "more",
        [
            {"session_id": "s"},
            {"metadata": {"session_id": "s"}},
            {"metadata": {"conversation_id": "s"}},
            {"metadata": {"user_id": orjson.dumps({"device_id": "d", "session_id": "s"}).decode()}},
        ],
    )
    def test_a_session_in_the_body_counts_as_one_in_a_header(self, more: dict[str, Any]) -> None:
        assert keys(body(user("fix it"), **more)) == keys(body(user("compacted"), **more))
        assert keys(body(user("fix it"), **more)) == keys(body(user("fix it")), x_session_id="s")

    @pytest.mark.parametrize("user_id", ["{", "{}", "[1]", '{"session_id": 5}', "user-7"])
    def test_a_user_id_without_a_session_names_a_user(self, user_id: str) -> None:
        metadata = {"user_id": user_id}
        assert keys(body(user("fix it"), metadata=metadata)) != keys(body(user("test it"), metadata=metadata))


def test_h2_litellm_in_front_strips_the_headers_and_it_still_holds() -> None:
    """reference/conventions.md: it sends neither session headers nor `user` nor `metadata`."""
    turns = [body(user("fix it")), body(user("fix it"), assistant("done"), user("more"))]
    assert keys(turns[0], authorization="Bearer x", x_stainless_lang="python")[0] in keys(turns[1], x_stainless_lang="python")


def test_a_chore_with_its_conversations_beginning_has_keys_of_its_own() -> None:
    whole = keys(body(user("fix it"), assistant("done"), user("summarise")))
    assert not set(chore_keys(whole)) & set(whole)
    assert chore_keys(()) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
)
MESSAGES = st.lists(
    JSON
    | st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "tool"])}, optional={"content": JSON, "tool_calls": JSON}
    )
)


@given(st.fixed_dictionaries({}, optional={"messages": MESSAGES | JSON, "tools": JSON, "metadata": JSON, "user": JSON, "system": JSON}))
def test_anything_json_can_hold_has_keys_and_stays_as_it_was(data: dict[str, Any]) -> None:
    before = copy.deepcopy(data)
    found = keys(data)
    assert found == keys(data)
    assert all(len(key) == 32 for key in found)
    assert data == before


def test_a_lone_surrogate_is_a_letter_like_any_other() -> None:
    assert keys(body(user("\ud800" * 5000))) != keys(body(user("\ud801" * 5000)))
