"""What a PDF engine gets says what the page says, with nothing left for it to look up."""

from __future__ import annotations

import re

import pytest

from auditor.report.paper import SCREEN_ONLY, for_paper, written_out
from tests.unit.finished_run import Outline, page_of


@pytest.fixture(scope="module")
def page(run) -> str:
    return page_of(run)


def test_words_and_order_are_those_of_the_page(page):
    before, after = Outline(SCREEN_ONLY.sub("", page)), Outline(for_paper(page))
    assert after.tags == before.tags
    assert after.text() == before.text()


def test_only_line_breaks_beside_blocks_go():
    inline = "<p>a\n<em>b</em>\n<code>c</code></p>"
    assert for_paper(f'<div class="x">\n\n{inline}\n</div>\n') == f'<div class="x">{inline}</div>'


def test_code_keeps_its_lines(page):
    code = re.findall("<pre.*?</pre>", page, re.DOTALL)
    assert any("\n" in each for each in code)
    assert re.findall("<pre.*?</pre>", for_paper(page), re.DOTALL) == code


def test_colours_of_paper_stand_where_they_are_used():
    style = ":root {\n  --ink: #111;\n  --text: 'A', serif;\n}\np { color: var(--ink); }"
    assert written_out(style).endswith("p { color: #111; }")
    assert written_out("p { color: var(--ink); }") == "p { color: var(--ink); }"


def test_no_variable_of_the_page_is_left(page):
    names = set(re.findall(r"var\((--[\w-]+)\)", for_paper(page)))
    assert names <= {"--pale", "--faint", "--third"}  # of screens alone
