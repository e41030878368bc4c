"""Which facts of a log may be removed: the rule, of any log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.compaction import REMOVED_AGE_MS_MIN, REMOVED_SHARE_MIN, YOUNG_MS, Mark, Rule, cut

NOW_MS = 10 * REMOVED_AGE_MS_MIN
HOUR_MS = 3_600_000
rules = st.builds(
    Rule, age_ms=st.integers(0, 5 * REMOVED_AGE_MS_MIN), edits=st.integers(1, 5), facts=st.integers(1, 20)
)
logs = st.lists(st.tuples(st.integers(0, NOW_MS), st.booleans()), min_size=1, max_size=60).map(
    lambda drawn: [Mark(10 * place, at_ms, is_edit) for place, (at_ms, is_edit) in enumerate(drawn, 1)]
)
LONG = [Mark(n, 0, is_edit=False) for n in range(1, 101)]
ALL = Rule(age_ms=0, edits=1, facts=1)


@given(log=logs, rule=rules)
def test_what_goes_is_old_and_the_newest_edits_stay_with_what_they_found(log: list[Mark], rule: Rule) -> None:
    at = cut(log, rule, NOW_MS)
    if at is None:
        return
    goes = [mark for mark in log if mark.sequence < at]
    stays = [mark for mark in log if mark.sequence > at]
    assert len(goes) >= max(1, len(log) // REMOVED_SHARE_MIN)
    assert len(log) >= rule.facts
    # The fact that the base stands on is old as well: whoever finds a young one beyond their own place has missed none.
    for mark in (*goes, next(mark for mark in log if mark.sequence == at)):
        assert NOW_MS - mark.at_ms >= max(rule.age_ms, REMOVED_AGE_MS_MIN)
    edits = [mark for mark in log if mark.is_edit]
    assert set(edits[-rule.edits :]) <= set(stays)


@given(log=logs, rule=rules)
def test_what_was_cut_is_not_cut_again(log: list[Mark], rule: Rule) -> None:
    at = cut(log, rule, NOW_MS)
    if at is not None:
        assert cut([mark for mark in log if mark.sequence >= at], rule, NOW_MS) is None


def test_an_old_log_goes_up_to_its_last_fact_if_nobody_edited_it() -> None:
    assert cut(LONG, ALL, NOW_MS) == 100
    assert cut(LONG, ALL._replace(facts=101), NOW_MS) is None


def test_nothing_goes_that_another_clock_may_take_for_young() -> None:
    young = [mark._replace(at_ms=NOW_MS - 2 * YOUNG_MS + 1) for mark in LONG]
    assert cut(young, ALL, NOW_MS) is None
    assert cut(LONG[:50] + young[50:], ALL, NOW_MS) == 50


def test_an_edit_stays_with_the_text_that_it_found() -> None:
    log = [mark._replace(is_edit=mark.sequence in {20, 60, 90}) for mark in LONG]
    assert cut(log, ALL, NOW_MS) == 89
    assert cut(log, ALL._replace(edits=2), NOW_MS) == 59
    # There are fewer than so many: all of them stay, and too little is left to be worth it.
    assert cut(log, ALL._replace(edits=4), NOW_MS) is None


def test_a_few_facts_are_not_worth_it() -> None:
    log = [mark._replace(is_edit=mark.sequence == 20) for mark in LONG]
    assert cut(log, ALL, NOW_MS) is None
