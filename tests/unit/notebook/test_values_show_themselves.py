"""What notebooks show: text stays text, tables can be read aloud, and nothing runs or is loaded."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import notebook
from auditor.results.finding import Checks, Finding, make_finding
from auditor.store.reader import read_run

ALLOWED = {"div", "p", "strong", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"}
HOSTILE = "<script>alert(1)</script>\x00\x1b[31m\u202e\"'&amp;"
TAME = "<script>alert(1)</script>\ufffd\ufffd[31m\ufffd\"'&amp;"


class Page(HTMLParser):
    """Tags and texts of a fragment."""

    def __init__(self, fragment: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(fragment)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts[-1] += data

    def check(self) -> None:
        """Small, self-contained and fit to be read aloud."""
        assert self.open == []
        assert {tag for tag, _ in self.tags} <= ALLOWED
        assert self.tags[0] == ("div", {"lang": "en"})
        for tag, attributes in self.tags:
            assert set(attributes) <= {"style", "scope", "lang", "colspan"}
            assert "url" not in (attributes.get("style") or "")
            assert tag != "th" or attributes["scope"] in ("col", "row")


@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), max_size=5), st.text())
def test_any_text_stays_text(rows: list[list[str]], title: str) -> None:
    page = Page(notebook.block(title, notebook.table("rows", ("a", "b"), rows)))
    page.check()
    shown = [text for text, (tag, _) in zip(page.texts, page.tags, strict=True) if tag == "td"]
    assert shown == [notebook.plain(cell) for row in rows for cell in row]


def test_hostile_text_is_shown_and_does_nothing() -> None:
    page = Page(
        notebook.block(HOSTILE, notebook.paragraph(HOSTILE), notebook.facts({"a": HOSTILE}))
    )
    page.check()
    assert page.texts.count(TAME) == 3


def test_long_texts_and_tables_are_cut_and_say_so() -> None:
    rows = [("x" * 10_000, str(number)) for number in range(1000)]
    fragment = notebook.block("long", notebook.table("rows", ("a", "b"), rows, rest="see there"))
    assert len(fragment) < 40_000
    assert "and 970 more; see there" in fragment


def one(verdict: str, subject: str, claim: str = "A claim.") -> Finding:
    return make_finding(
        audit="a", code="CODE", verdict=verdict, severity="error", claim=claim,
        subjects=[subject], estimates={},
    )  # fmt: skip


def test_findings_show_the_worst_first_and_in_words() -> None:
    checks = Checks([one("pass", "p"), one("fail", "f", HOSTILE), one("warn", "w")])
    page = Page(checks._repr_html_())
    page.check()
    verdicts = [text for text in page.texts if text in ("pass", "warn", "fail")]
    assert verdicts == ["fail", "warn", "pass"]
    assert TAME in page.texts
    assert checks == (one("pass", "p"), one("fail", "f", HOSTILE), one("warn", "w"))
    Page(checks[0]._repr_html_()).check()


def test_no_finding_is_a_table_too() -> None:
    Page(Checks()._repr_html_()).check()


@pytest.mark.parametrize("value", ["run", "plan", "findings"])
def test_a_run_its_plan_and_its_findings_show_themselves(
    make_run: Callable[..., Path], value: str
) -> None:
    run = read_run(make_run())
    shown = {"run": run, "plan": run.plan, "findings": run.findings}[value]._repr_html_()
    page = Page(shown)
    page.check()
    assert ("caption", {"style": "text-align: left; caption-side: top"}) in page.tags
    wanted = {
        "run": ("Tiny audit: fail", "fail_on", "Attribute relationships"),
        "plan": ("solve  relationships/result",),
        "findings": ("2 findings", "lipstick and smiling are tied to each other."),
    }
    assert set(wanted[value]) <= set(page.texts)


def test_findings_become_one_table_and_tables_are_found_by_name(
    make_run: Callable[..., Path],
) -> None:
    run = read_run(make_run())
    table = run.findings_table()
    assert table.column("id").to_pylist() == [finding.id for finding in run.findings]
    assert table.column("subjects").to_pylist()[0] == ["lipstick", "smiling"]
    (number,) = table.column("estimates").to_pylist()[0]
    assert (number["metric"], number["value"], number["level"]) == ("cosine", 0.6, 0.95)
    assert run.table_names("relationships") == ("cosines",)
    assert run.tables("relationships")["cosines"].column("cosine").to_pylist() == [0.5, None]
