from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.events import PLAN_CELL
from schemas.outline import Problem, check_outline
from schemas.values import COLUMNS_MAX, SECTIONS_MAX, Column, Section


def section(id_: str, *depends_on: str, columns: tuple[Column, ...] = ()) -> Section:
    return Section(id=id_, heading=id_.title(), depends_on=depends_on, columns=columns)


def where(problems: list[Problem]) -> list[str]:
    return [problem.where for problem in problems]


def test_a_good_outline_has_no_problems() -> None:
    columns = (
        Column(id="year", heading="Year"),
        Column(id="kind", heading="Kind", format="one_of", options=("a", "b")),
    )
    assert check_outline([section("a"), section("b", columns=columns), section("c", "a", "b")]) == []


def test_an_empty_outline_is_refused() -> None:
    assert where(check_outline([])) == ["sections"]


def test_too_many_sections_are_refused_without_looking_further() -> None:
    problems = check_outline([section("same")] * (SECTIONS_MAX + 1))
    assert where(problems) == ["sections"]
    assert str(SECTIONS_MAX) in problems[0].message


def test_a_second_use_of_an_id_is_named() -> None:
    assert where(check_outline([section("a"), section("b"), section("a")])) == ["sections/2/id"]


def test_the_outline_s_own_id_is_reserved() -> None:
    assert where(check_outline([section(PLAN_CELL)])) == ["sections/0/id"]


def test_a_section_may_depend_on_a_column_that_is_there() -> None:
    table = section("t", columns=(Column(id="year", heading="Year"),))
    assert check_outline([table, section("a", "t:year", "t")]) == []
    (problem,) = check_outline([table, section("a", "t:month")])
    assert (problem.where, "no column" in problem.message) == ("sections/1/depends_on/0", True)
    assert where(check_outline([section("a", "a:year", columns=table.columns)])) == ["sections/0/depends_on"]


def test_an_unknown_dependency_is_named_with_its_place() -> None:
    problems = check_outline([section("a"), section("b", "a", "nowhere")])
    assert where(problems) == ["sections/1/depends_on/1"]
    assert "'nowhere'" in problems[0].message


def test_a_circle_is_spelled_out_in_the_order_of_needing() -> None:
    (problem,) = check_outline([section("intro"), section("a", "b"), section("b", "c"), section("c", "a")])
    assert problem.where == "sections/1/depends_on"
    assert "a → b → c → a" in problem.message


def test_a_section_may_not_depend_on_itself() -> None:
    (problem,) = check_outline([section("a", "a")])
    assert "a → a" in problem.message


def test_columns_have_ids_of_their_own_and_a_limit() -> None:
    column = Column(id="x", heading="X")
    assert where(check_outline([section("t", columns=(column, column))])) == ["sections/0/columns/1/id"]
    many = tuple(Column(id=f"c{n}", heading="C") for n in range(COLUMNS_MAX + 1))
    assert where(check_outline([section("t", columns=many)])) == ["sections/0/columns"]


def test_a_choice_without_options_is_refused() -> None:
    column = Column(id="x", heading="X", format="one_of")
    assert where(check_outline([section("t", columns=(column,))])) == ["sections/0/columns/0/options"]


@given(st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=10))
def test_an_outline_passes_exactly_when_it_can_be_put_into_an_order(parents: list[list[int]]) -> None:
    known = len(parents)
    sections = [section(f"s{n}", *(f"s{p % known}" for p in wanted)) for n, wanted in enumerate(parents)]
    done: set[str] = set()
    for _ in sections:
        done |= {s.id for s in sections if set(s.depends_on) <= done}
    assert (check_outline(sections) == []) == (len(done) == known)
