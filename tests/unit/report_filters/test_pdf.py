"""The section on paper: cards stay whole, pages are used, the result is inside."""

from __future__ import annotations

import io

import pypdf
import pytest

from auditor.report.render import render


@pytest.fixture(scope="module")
def document(make_run, fixture_result):
    run = make_run(result=fixture_result(units=24, cards=4))
    (path,) = render(run, formats=("pdf",))
    return pypdf.PdfReader(io.BytesIO(path.read_bytes()))


def test_a_card_stands_on_one_page(document):
    texts = [page.extract_text() for page in document.pages]
    assert sum(text.count("Likeness") for text in texts) == 4
    for text in texts:
        assert text.count("Of the annotated concepts it overlaps") == text.count("Likeness")


def test_no_page_is_nearly_empty(document):
    for page in document.pages:
        assert len(page.extract_text().split()) > 25


def test_the_result_is_attached(document):
    assert "filters.result.json" in document.attachments
