"""The PDF: tagged, titled, complete with fonts and evidence, and closed to the outside."""

from __future__ import annotations

import builtins
import io
import shutil

import pypdf
import pytest

from auditor.errors import MissingDependencyError
from auditor.report import pdf as pdf_module
from auditor.report.render import render
from auditor.store.reader import read_run

EPOCH = ("SOURCE_DATE_EPOCH", "1740837600")


@pytest.fixture
def small(sealed):
    return sealed


@pytest.fixture(scope="module")
def document(sealed):
    return pypdf.PdfReader(io.BytesIO(sealed.paths.pdf.read_bytes()))


def test_it_is_tagged_titled_and_in_its_language(document):
    root = document.trailer["/Root"]
    assert root["/Lang"] == "en"
    assert root["/MarkInfo"]["/Marked"]
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert "/StructTreeRoot" in root
    assert document.metadata.title == "Portrait attribute classifier, release 3 – audit report"
    assert b"pdfuaid:part" in root["/Metadata"].get_data()


def test_its_date_is_that_of_the_run(document):
    assert document.metadata.creation_date.isoformat() == "2025-03-01T14:06:42+00:00"


def test_chapters_are_bookmarks_and_no_page_is_empty(document):
    titles = [item.title for item in document.outline if not isinstance(item, list)]
    assert titles[:2] == ["Summary", "Attribute relationships Failed"]
    assert titles[-1] == "Glossary"
    for page in document.pages:
        words = page.extract_text().split()
        assert len(words) > 25


def test_the_summary_takes_one_page(document):
    starts = {
        item.title: document.get_destination_page_number(item)
        for item in document.outline
        if not isinstance(item, list)
    }
    assert starts["Summary"] == 1
    assert starts["Attribute relationships Failed"] == 2


def test_rendering_again_gives_the_same_bytes_without_a_complaint(small, tmp_path, caplog):
    copy = read_run(shutil.copytree(small.paths.root, tmp_path / small.paths.root.name))
    copy.paths.html.unlink()
    copy.paths.pdf.unlink()
    with pytest.MonkeyPatch.context() as patch, caplog.at_level("WARNING", logger="weasyprint"):
        patch.setenv(*EPOCH)
        render(copy, formats=("html", "pdf"))
    assert copy.paths.html.read_bytes() == small.paths.html.read_bytes()
    assert copy.paths.pdf.read_bytes() == small.paths.pdf.read_bytes()
    assert not caplog.messages


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "file://host/etc/passwd",
        "http://localhost/x.png",
        "https://evil.example/x.css",
        "ftp://evil.example/x",
    ],
)
def test_nothing_outside_the_run_directory_is_opened(small, url):
    with pytest.raises(ValueError, match=r"lies outside|disallowed protocol"):
        pdf_module.make_fetcher(small.paths.root).fetch(url)


def test_a_link_out_of_the_run_directory_is_not_followed(small, tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    link = small.paths.root / "link.png"
    link.symlink_to(tmp_path / "secret.png")
    try:
        with pytest.raises(ValueError, match="lies outside"):
            pdf_module.make_fetcher(small.paths.root).fetch(link.as_uri())
    finally:
        link.unlink()


def test_files_of_the_run_directory_and_data_may_be_opened(small):
    fetcher = pdf_module.make_fetcher(small.paths.root)
    assert fetcher.fetch(small.paths.record.resolve().as_uri()).read().startswith(b"{")
    assert fetcher.fetch("data:text/plain,hello").read() == b"hello"


def test_without_pango_the_page_is_still_written(small, monkeypatch):
    real_import = builtins.__import__

    def without_pango(name, *args, **kwargs):
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real_import(name, *args, **kwargs)

    small.paths.html.unlink(missing_ok=True)
    monkeypatch.setattr(builtins, "__import__", without_pango)
    with pytest.raises(MissingDependencyError, match="Pango") as caught:
        render(small, formats=("html", "pdf"))
    assert "apt-get install" in caught.value.hint
    assert small.paths.html.is_file()


def test_pictures_stay_small_in_the_file(small, document):
    stream = io.BytesIO()
    pypdf.PdfWriter(clone_from=document).write(stream)
    images = [image for page in document.pages for image in page.images]
    assert images
    assert max(len(image.data) for image in images) < 40_000
