"""The section on paper: rows of pictures stay together, pages are used, links have targets."""

from __future__ import annotations

import io

import pypdf
import pytest

from auditor.report.render import render

ROWS = ("What it looks at there", "Changed to show more", "Wrong, in this part")


@pytest.fixture(scope="module")
def document(make_run, fixture_result):
    run = make_run(result=fixture_result(classes=("plane", "frog", "cat"), slices=3, depth=2))
    (path,) = render(run, formats=("pdf",))
    return pypdf.PdfReader(io.BytesIO(path.read_bytes()))


def test_the_rows_of_a_slice_stand_on_one_page(document):
    texts = [page.extract_text() for page in document.pages]
    starts = [text.count("Right, in the group") for text in texts]
    assert sum(starts) == 4
    for text, number in zip(texts, starts, strict=True):
        assert [text.count(row) for row in ROWS] == [number] * 3


def test_no_page_is_nearly_empty(document):
    for page in document.pages:
        assert len(page.extract_text().split()) > 25


def test_chapters_are_those_of_the_page(document):
    titles = [item.title for item in document.outline if not isinstance(item, list)]
    assert titles[:2] == ["Summary", "Failures explained by features Warning"]


def test_the_result_is_attached(document):
    assert "failures.result.json" in document.attachments
