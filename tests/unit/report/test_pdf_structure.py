"""What PDF/UA-1 and PDF/A-3b ask for, as far as it can be seen without a validator.

veraPDF, the validator of the PDF Association, runs as well where it is installed.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import subprocess
from collections.abc import Iterator

import pikepdf
import pytest

# WeasyPrint leaves the colour profile of PDF/A to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file.*sRGB2014:ResourceWarning")

VARIANTS = ("pdf/ua-1", "pdf/a-3b")
FLAVOURS = {"pdf/ua-1": "ua1", "pdf/a-3b": "3b"}


@pytest.fixture(scope="module", params=VARIANTS)
def path(request, sealed, archived):
    if request.param == "pdf/ua-1":
        return sealed.paths.pdf
    return archived.paths.report / "report-withheld.pdf"


@pytest.fixture(scope="module")
def pdf(path):
    with pikepdf.open(path) as document:
        yield document


@pytest.fixture
def variant(request):
    return request.node.callspec.params["path"]


def elements(pdf: pikepdf.Pdf) -> Iterator[pikepdf.Dictionary]:
    """Every element of the structure tree, in order."""
    waiting = [pdf.Root.StructTreeRoot]
    while waiting:
        element = waiting.pop()
        if "/S" in element:
            yield element
        kids = element.get("/K", [])
        for kid in reversed(list(kids) if isinstance(kids, pikepdf.Array) else [kids]):
            if isinstance(kid, pikepdf.Dictionary) and ("/S" in kid or "/K" in kid):
                waiting.append(kid)


def tagged(pdf: pikepdf.Pdf, tag: str) -> list[pikepdf.Dictionary]:
    return [element for element in elements(pdf) if f"/{tag}" == element.S]


def test_it_is_tagged_in_its_language_and_shows_its_title(pdf):
    assert pdf.Root.MarkInfo.Marked
    assert pdf.Root.Lang == "en"
    assert pdf.Root.ViewerPreferences.DisplayDocTitle
    assert str(pdf.docinfo.Title).endswith("audit report")
    for number, page in enumerate(pdf.pages):
        assert page.Tabs == "/S"
        assert page.StructParents == number
    assert {"/H1", "/H2", "/H3", "/P", "/L", "/Table"} <= {str(e.S) for e in elements(pdf)}


def test_metadata_name_the_standard(pdf, variant):
    with pdf.open_metadata() as metadata:
        assert metadata["dc:title"] == str(pdf.docinfo.Title)
        if variant == "pdf/ua-1":
            assert metadata["pdfuaid:part"] == "1"
            assert not metadata.pdfa_status
        else:
            assert metadata.pdfa_status == "3B"
    if variant == "pdf/a-3b":
        (intent,) = pdf.Root.OutputIntents
        assert intent.S == "/GTS_PDFA1"
        assert intent.DestOutputProfile.N == 3
        assert not pdf.is_encrypted


def test_every_figure_says_what_it_shows(pdf):
    figures = tagged(pdf, "Figure")
    assert len(figures) >= 6
    for figure in figures:
        assert len(str(figure.Alt)) >= 4  # a verdict drawn as a shape says `fail`
        assert len(figure.A.BBox) == 4


def test_header_cells_say_what_they_head(pdf):
    heads = tagged(pdf, "TH")
    assert {str(cell.A.Scope) for cell in heads} == {"/Column", "/Row"}
    for cell in heads:
        in_head = cell.P.P.S == "/THead"
        assert cell.A.Scope == ("/Column" if in_head else "/Row")
    known = {str(cell.ID) for cell in heads}
    for cell in tagged(pdf, "TD"):
        assert {str(header) for header in cell.A.Headers} <= known


def test_headings_skip_no_level(pdf):
    levels = [int(str(e.S)[2]) for e in elements(pdf) if str(e.S) in {f"/H{n}" for n in "123456"}]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_links_say_where_they_lead(pdf):
    links = [note for page in pdf.pages for note in page.get("/Annots", [])]
    assert links
    for link in links:
        assert link.Subtype == "/Link"
        assert str(link.Contents)
        assert "/StructParent" in link


def test_chapters_and_audits_are_bookmarks(pdf):
    with pdf.open_outline() as outline:
        titles = [item.title for item in outline.root]
    assert titles[0] == "Summary"
    assert titles[-1] == "Glossary"
    assert any(title.startswith("Attribute relationships") for title in titles)


def test_every_font_is_embedded_and_maps_to_letters(pdf):
    fonts = [thing for thing in pdf.objects if is_kind(thing, "/Font")]
    assert fonts
    for font in fonts:
        if font.Subtype == "/Type0":
            assert "/ToUnicode" in font
            (inner,) = font.DescendantFonts
            assert {"/FontFile2", "/FontFile3"} & set(inner.FontDescriptor.keys())
        else:
            assert font.Subtype in ("/CIDFontType0", "/CIDFontType2", "/Type3")


def is_kind(thing: object, kind: str) -> bool:
    return isinstance(thing, pikepdf.Dictionary) and thing.get("/Type") == kind


def test_attachments_are_declared_with_what_they_are(pdf):
    declared = {str(spec.UF): str(spec.AFRelationship) for spec in pdf.Root.AF}
    assert len(pdf.Root.AF) == len(declared)
    assert declared == {
        "evidence.json": "/Data",
        "findings.json": "/Data",
        "relationships.result.json": "/Data",
        "resolved.yaml": "/Source",
        "run.json": "/Data",
        "seal.json": "/Supplement",
    }
    names = [str(name) for name in list(pdf.Root.Names.EmbeddedFiles.Names)[::2]]
    assert names == sorted(declared)
    for spec in pdf.Root.AF:
        stream = spec.EF.F
        content = stream.read_bytes()
        assert spec.Desc
        assert str(stream.Subtype) in ("/application/json", "/application/yaml", "/text/yaml")
        assert stream.Params.Size == len(content)
        assert stream.Params.ModDate
        if spec.UF != "seal.json":
            checksum = hashlib.md5(content, usedforsecurity=False).digest()
            assert bytes(stream.Params.CheckSum) == checksum


def test_nothing_runs_or_asks_when_it_is_opened(pdf):
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(pdf.Root.keys())
    assert not any(is_kind(thing, "/Action") and "/JS" in thing for thing in pdf.objects)


@pytest.mark.skipif(shutil.which("verapdf") is None, reason="veraPDF is not installed")
def test_verapdf_finds_nothing(path, variant):
    command = ["verapdf", "--flavour", FLAVOURS[variant], "--format", "text", str(path)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
    assert told.stdout.startswith("PASS")
