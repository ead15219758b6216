"""Texts of a stranger's run stay texts, whatever the format makes of text."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import cmarkgfm
import pytest
import yaml
from cmarkgfm.cmark import Options
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import example, given
from hypothesis import strategies as st
from junitparser import JUnitXml
from lxml import etree
from sarif_kit import validation_errors

from auditor.report.exports.export import export
from auditor.report.exports.text import JOINER, cell, code, markdown, one_line, table_row
from auditor.spec.formats import EXPORTS
from auditor.wording import sentence

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "</details></td></tr>]]></failure><failure/>&amp;&#x202e;",
    "[click](javascript:alert(1)) ![x](http://evil.example/p.png) <https://evil.example>",
    "http://evil.example www.evil.example me@evil.example @everyone owner/repo#7 #12",
    "=cmd|' /C calc'!A0",
    "\t=1+1",
    "＋1",
    "@SUM(A1)",
    "a | b \\| c `d` ``e`` \\",
    "# head\n- item\n1. one\n---\n```\ncode",
    "one\x00two\x1b[31m\ud7ff\ufffe\u2028three",
    "safe \u202egnp.exe\u202c \u2066x\u2069",
    "{0} {braces} [link](1) \\",
    "yaml: [not, a, list] # no comment\n--- \n&anchor *alias !!python/object:x",
)

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)

TAG = re.compile(r"<[^>]*>")
STRUCTURE = re.compile(
    r"</?(p|ul|li|table|thead|tbody|tr|th|td|code|br|h2|h3|strong|details|summary)\b"
)


def rendered(text: str) -> str:
    """What GitHub's own renderer makes of Markdown, raw HTML let through."""
    made: str = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)
    return made


def tags_of(page: str) -> list[str]:
    return [tag for tag in TAG.findall(page) if not STRUCTURE.match(tag)]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_export_breaks_or_lets_a_text_out_of_its_place(run_saying, text):
    run = run_saying(text)
    made = {name: export(run, name) for name in EXPORTS}
    assert validation_errors(json.loads(made["sarif"])) == []
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made["cyclonedx"].decode()) is None
    suites = etree.fromstring(made["junit"])
    assert {one.tag for one in suites.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "skipped", "properties", "property",
    }  # fmt: skip
    for name in ("md", "model-card"):
        body = (
            made[name].decode().split("---\n", 2)[-1]
            if name == "model-card"
            else made[name].decode()
        )
        page = rendered(body)
        assert tags_of(page) == []
        assert "href" not in page
    for row in csv.reader(io.StringIO(made["csv"].decode(), newline="")):
        assert not any(one.startswith(tuple("=+@\t\r＝＋－＠")) for one in row)
    _, front, _ = made["model-card"].decode().split("---\n", 2)
    assert yaml.safe_load(front).keys() == {"tags", "model-index"}


@given(WORDS)
@example("1. a")
@example("`")
@example(HOSTILE[1])
@example(HOSTILE[2])
@example(HOSTILE[8])
@example("||")
def test_markdown_shows_the_words_and_nothing_else(text):
    line = markdown(text)
    page = rendered(f"- **a** {line}")
    assert tags_of(page) == []
    shown = html.unescape(TAG.sub("", page)).replace(JOINER, "").strip()
    assert shown.split() == ["a", *one_line(text).replace(JOINER, "").split()]


@given(st.lists(WORDS, min_size=1, max_size=4), st.booleans())
def test_a_table_has_as_many_cells_as_were_written(texts, as_code):
    cells = [code(text) if as_code else markdown(text) for text in texts]
    head = table_row(*["x"] * len(texts)), table_row(*["---"] * len(texts))
    page = rendered("\n".join([*head, table_row(*cells)]))
    assert page.count("<td>") == len(texts)
    assert tags_of(page) == []


@given(WORDS)
def test_a_cell_of_a_spreadsheet_is_never_a_formula(text):
    assert cell(text)[:1] not in set("=+-@＝＋－＠\t\r\n")
    assert cell(text).removeprefix("'") == one_line(text).removeprefix("'")


@given(WORDS)
def test_a_test_report_says_what_the_claim_says(run_saying, text):
    suites = list(JUnitXml.fromstring(export(run_saying(text), "junit")))
    (first, *_) = (case for case in suites[1] if case.result)
    assert first.result[0].message == one_line(sentence(text))


def test_mentions_and_addresses_are_broken_by_a_joiner():
    assert markdown("@octocat") == f"@{JOINER}octocat"
    assert markdown("see http://a.b") == f"see http:{JOINER}//a.b"
    assert markdown("fixes #12") == f"fixes \\#{JOINER}12"
    assert markdown("0.61 of 8 000") == "0.61 of 8 000"
