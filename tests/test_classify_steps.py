"""What the steps of an agent's loop say, and what they make of the tier."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.classify.excerpt import Excerpt, Step
from routing.classify.roles import DIFFICULTY
from routing.classify.signals import Action, action_of, has_failed, read_signals
from routing.classify.steps import ERRORS_IN_A_ROW, LOOKS_WITHOUT_END, SAME_CALL_AGAIN, adjust
from routing.types import TIER_ORDER, ModelTier

MICRO, SMALL, MID, FRONTIER = TIER_ORDER
AGENT = "You are a coding agent with a shell."
ERRANDS = "You run errands with your tools."
PREPARED = "<issue>\nRows are dropped behind quoted line breaks.\n</issue>\n\n<how_to>\nLook around first, then mend it.\n</how_to>"
SPELLED_OUT = "# Clock\n\nImplement a clock that handles times without dates. Two clocks that show the same time are equal.\n"
TOOLS = ("bash", "edit", "read")


def bash(command: str, result: str = "ok", *, failed: bool = False) -> Step:
    return Step("bash", f'{{"command": "{command}"}}', result, failed)


LOOK = bash("cat a.py")
EDIT = Step("edit", '{"path": "a.py", "old": "x", "new": "y"}', "done")
TESTS_PASS = bash("pytest -q", "3 passed in 0.1s")
TESTS_FAIL = bash("pytest -q", "1 failed, 2 passed in 0.1s")


def loop(*steps: Step, human: str = "Mend the importer.", system: str = AGENT, **more: Any) -> Excerpt:
    given: dict[str, Any] = {"tool_names": TOOLS, "ends_with_result": bool(steps), **more}
    return Excerpt("chat", system, human, len(human), human, steps=steps, **given)


class TestActions:
    @pytest.mark.parametrize(
        ("step", "expected"),
        [
            (Step("Read", "path=a.py", ""), Action.LOOK),
            (Step("grep_search", "{}", ""), Action.LOOK),
            (Step("str_replace_editor", '{"command": "view", "path": "a.py"}', ""), Action.LOOK),
            (Step("str_replace_editor", '{"command": "str_replace"}', ""), Action.EDIT),
            (Step("write_file", "{}", ""), Action.EDIT),
            (Step("MultiEdit", "{}", ""), Action.EDIT),
            (Step("attempt_completion", "{}", ""), Action.REVIEW),
            (Step("get_weather", "{}", ""), Action.LOOK),
            (Step("send_mail", "{}", ""), Action.OTHER),
            (bash("ls -la"), Action.LOOK),
            (bash("cd /w && sed -n 1,80p tox.ini"), Action.LOOK),
            (bash("cat make/pytest.ini"), Action.LOOK),
            (bash("sed -i s/a/b/ a.py"), Action.EDIT),
            (bash("cat > a.py <<EOF"), Action.EDIT),
            (bash("ls 2>/dev/null"), Action.LOOK),
            (bash("cd /w && python -m pytest tests"), Action.CHECK),
            (bash("npm run build"), Action.CHECK),
            (bash("cargo test --all"), Action.CHECK),
            (bash("git diff -- a.py"), Action.REVIEW),
            (bash("git add . && git commit -m x"), Action.REVIEW),
            (bash("git log --oneline"), Action.LOOK),
            (bash("python repro.py"), Action.OTHER),
            (Step("exec_command", '{"cmd": "rg -n parse"}', ""), Action.LOOK),
            (Step("shell", '{"command": ["bash", "-lc", "pytest"]}', ""), Action.CHECK),
        ],
    )
    def test_are_told_by_tool_and_command(self, step: Step, expected: Action) -> None:
        assert action_of(step) is expected


class TestFailures:
    @pytest.mark.parametrize(
        "step",
        [
            bash("x", failed=True),
            bash("python a.py", "<returncode>1</returncode>\n<output>\n</output>"),
            bash("python a.py", "…\nProcess exited with code 2"),
            bash("python a.py", "Output: (empty)\nExit Code: 127\nSignal: (none)"),
            bash("python a.py", "Traceback (most recent call last):\n…"),
            bash("pytest", "==== 2 failed, 8 passed in 1.2s ===="),
            Step("read", "a.py", '{"status": "error", "error": "ENOENT: no such file"}'),
        ],
    )
    def test_are_seen(self, step: Step) -> None:
        assert has_failed(step, action_of(step))

    @pytest.mark.parametrize(
        "step",
        [
            bash("grep -rn nothing .", "<returncode>1</returncode>\n<output>\n</output>"),
            bash("python a.py", "<returncode>0</returncode>\nTraceback is the name of a module here"),
            bash("pytest", "12 passed, 0 failed"),
            Step("read", "errors.py", "class Error(Exception):\n    pass\n" * 40),
        ],
    )
    def test_are_not_made_up(self, step: Step) -> None:
        assert not has_failed(step, action_of(step))


class TestSignals:
    def test_no_steps_say_nothing(self) -> None:
        assert read_signals(()) == (0, 0, 0, 0, 0, 0, 0, False)

    def test_what_was_done_is_counted(self) -> None:
        signals = read_signals((LOOK, LOOK, EDIT, TESTS_FAIL, LOOK))
        assert (signals.steps, signals.looks, signals.edits, signals.looks_in_a_row) == (5, 3, 1, 1)
        assert signals.edited_chars == len(EDIT.arguments)

    def test_the_streak_of_errors_ends_with_a_success(self) -> None:
        assert read_signals((TESTS_FAIL, TESTS_FAIL)).error_streak == 2
        assert read_signals((TESTS_FAIL, TESTS_FAIL, LOOK)).error_streak == 0

    def test_repeats_are_the_same_call_and_not_the_same_tool(self) -> None:
        assert read_signals((LOOK, EDIT, LOOK, LOOK)).repeats == 2
        assert read_signals((bash("ls a"), bash("ls b"))).repeats == 0

    def test_waiting_is_no_repetition(self) -> None:
        wait = Step("task_output", '{"id": 1}', "running")
        assert read_signals((wait, wait, wait)).repeats == 0

    @pytest.mark.parametrize("after", [TESTS_PASS, bash("git diff"), Step("submit", "{}", "")])
    def test_a_change_that_was_checked_or_looked_over_is_landing(self, after: Step) -> None:
        assert read_signals((LOOK, EDIT, after)).is_landing

    @pytest.mark.parametrize(
        "steps", [(LOOK, EDIT), (EDIT, TESTS_FAIL), (EDIT, TESTS_PASS, EDIT), (TESTS_PASS,), (EDIT._replace(failed=True), TESTS_PASS)]
    )
    def test_otherwise_it_is_not(self, steps: tuple[Step, ...]) -> None:
        assert not read_signals(steps).is_landing


class TestTheFirstStep:
    def test_an_open_task_in_a_coding_loop_is_raised(self) -> None:
        tier, difficulty, reasons = adjust(loop(), MID, 0.4)
        assert (tier, difficulty) == (FRONTIER, DIFFICULTY[FRONTIER])
        assert reasons

    def test_a_bounded_task_spelled_out_is_not(self) -> None:
        assert adjust(loop(human=SPELLED_OUT), SMALL, 0.3) == (SMALL, 0.3, ())
        assert adjust(loop(human=SPELLED_OUT), FRONTIER, 0.9)[0] is MID

    def test_a_prepared_task_begins_with_looking_around(self) -> None:
        tier, _, reasons = adjust(loop(human=PREPARED), FRONTIER, 0.9)
        assert tier is SMALL
        assert reasons

    def test_a_pasted_page_is_no_prepared_task(self) -> None:
        page = "<section>\n<header>Hello</header>\n<form></form>\n</section>"
        assert adjust(loop(human=page), MID, 0.4)[0] is FRONTIER

    def test_an_assistant_that_runs_errands_is_left_alone(self) -> None:
        assert adjust(loop(system=ERRANDS), SMALL, 0.2) == (SMALL, 0.2, ())
        assert adjust(loop(LOOK, system=ERRANDS), SMALL, 0.2) == (SMALL, 0.2, ())

    def test_and_needs_no_more_than_mid_until_there_is_trouble(self) -> None:
        assert adjust(loop(system=ERRANDS), FRONTIER, 0.9)[0] is MID
        assert adjust(loop(LOOK, system=ERRANDS), FRONTIER, 0.9)[0] is MID
        assert adjust(loop(*(LOOK,) * (SAME_CALL_AGAIN + 1), system=ERRANDS), FRONTIER, 0.9)[0] is FRONTIER

    def test_a_loop_that_says_nothing_of_itself_is_left_alone(self) -> None:
        assert adjust(loop(system=""), FRONTIER, 0.9) == (FRONTIER, 0.9, ())

    def test_the_harness_alone_says_that_it_is_about_code(self) -> None:
        assert adjust(loop(system="", harness="codex"), SMALL, 0.2)[0] is MID

    def test_a_chat_is_no_loop(self) -> None:
        assert adjust(loop(system="You are kind.", tool_names=()), MID, 0.4) == (MID, 0.4, ())
        assert adjust(loop(system="You know code.", tool_names=("get_weather",)), MID, 0.4) == (MID, 0.4, ())


class TestLaterSteps:
    def test_work_that_goes_well_keeps_its_tier(self) -> None:
        assert adjust(loop(LOOK, EDIT), MID, 0.5) == (MID, 0.5, ())

    @pytest.mark.parametrize(
        "steps",
        [
            tuple(bash(f"python try{i}.py", "Error: no") for i in range(ERRORS_IN_A_ROW)),
            (LOOK, EDIT, *(bash("python a.py"),) * (SAME_CALL_AGAIN + 1)),
            tuple(bash(f"cat {i}.py") for i in range(LOOKS_WITHOUT_END)),
        ],
        ids=["errors", "circles", "no end"],
    )
    def test_trouble_raises_and_says_which(self, steps: tuple[Step, ...]) -> None:
        tier, difficulty, reasons = adjust(loop(*steps), SMALL, 0.2)
        assert (tier, difficulty) == (MID, DIFFICULTY[MID])
        assert len(reasons) == 1
        assert adjust(loop(*steps[:-1]), SMALL, 0.2) == (SMALL, 0.2, ())

    def test_above_the_top_there_is_nothing(self) -> None:
        assert adjust(loop(*(TESTS_FAIL,) * 4), FRONTIER, 0.9) == (FRONTIER, 0.9, ())

    def test_landing_lowers_the_top_and_nothing_below_it(self) -> None:
        steps = (LOOK, EDIT, TESTS_PASS)
        assert adjust(loop(*steps), FRONTIER, 0.9)[:2] == (MID, DIFFICULTY[MID])
        assert adjust(loop(*steps), SMALL, 0.2) == (SMALL, 0.2, ())

    def test_a_prepared_task_is_worked_at_the_top_and_lands_below(self) -> None:
        assert adjust(loop(LOOK, human=PREPARED), SMALL, 0.3)[0] is FRONTIER
        assert adjust(loop(LOOK, EDIT, TESTS_PASS, human=PREPARED), SMALL, 0.3)[0] is MID


STEP = st.builds(Step, st.sampled_from(["bash", "edit", "read", "submit", "x"]), st.text(max_size=60), st.text(max_size=60), st.booleans())
HUMAN = st.sampled_from([PREPARED, SPELLED_OUT, "Mend it.", ""])


@given(st.lists(STEP, max_size=12), HUMAN, st.sampled_from(TIER_ORDER), st.floats(0, 1))
def test_an_adjustment_is_sound(steps: list[Step], human: str, tier: ModelTier, difficulty: float) -> None:
    excerpt = loop(*steps, human=human)
    adjusted, hardness, reasons = adjust(excerpt, tier, difficulty)
    assert 0 <= hardness <= 1
    assert adjust(excerpt, tier, difficulty) == (adjusted, hardness, reasons)
    assert bool(reasons) or (adjusted, hardness) == (tier, difficulty)
