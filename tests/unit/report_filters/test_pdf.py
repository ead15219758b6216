"""The section on paper: cards stay whole, pages are used, the result is inside."""

from __future__ import annotations

import io

import pypdf
import pytest

from auditor.report.render import render


@pytest.fixture(scope="module")
def document(make_run, fixture_result):
    run = make_run(result=fixture_result(units=10, cards=3))
    (path,) = render(run, formats=("pdf",))
    return pypdf.PdfReader(io.BytesIO(path.read_bytes()))


@pytest.fixture(scope="module")
def texts(document) -> list[str]:
    return [page.extract_text() for page in document.pages]


def test_a_card_stands_on_one_page(texts):
    assert sum(text.count("Likeness") for text in texts) == 3
    for text in texts:
        assert text.count("Of the annotated concepts it overlaps") == text.count("Likeness")


def test_no_page_is_nearly_empty(texts):
    assert all(len(text.split()) > 25 for text in texts)


def test_the_result_is_attached(document):
    assert "filters.result.json" in document.attachments
