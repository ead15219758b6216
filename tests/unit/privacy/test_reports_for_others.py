"""A report for others holds no sample, no pixel, no path and no secret, in any of its bytes."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pikepdf
import pypdf
import pytest
from PIL import Image

from auditor.compose.load import load_spec
from auditor.engine.execute import RunOptions, execute
from auditor.engine.progress import Silent
from auditor.plan.make import make_plan
from auditor.report.attachments import make_attachments
from auditor.report.privacy import for_audience, pseudonyms
from auditor.report.render import render
from auditor.store.documents import document_bytes
from auditor.store.reader import Run, read_run
from tests.unit.report_filters.conftest import make_result, write_run

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI",
    "HF_TOKEN": "hf_qwertzuiop",
    "DATABASE_URL": "postgres://bob:hunter2@db/x",
}
SPEC = """\
version: 1
name: clinic
title: Clinic
dataset:
  source: manifest
  files: {train: "${data_root}/train.csv", test: "${data_root}/test.csv"}
  root: ${data_root}/images
  columns: {groups: [smiling, hat]}
model: {source: builtin, name: portraits_net, num_outputs: 2, preprocess: {resize: 48, crop: 48}}
attributes: {smiling: {output: 0, column: smiling}, hat: {output: 1, column: hat}}
rules: {apart: {between: [smiling, hat], expect: unrelated}}
audits:
  relationships: {kind: relationships, layer: features.2, examples: 6}
  groups: {kind: groups, compare: attributes, by: [smiling], min_images: 5}
engine: {device: cpu, num_threads: 1, max_unreadable: 0.2}
report: {clauses: []}
"""
IDS = [f"patient-{k:03d}-doe" for k in range(48)]
EXIF = "GPS-48.2-16.3-DOE"


def photograph(rng: np.random.Generator) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = EXIF
    buffer = io.BytesIO()
    image = Image.fromarray(rng.integers(0, 256, (48, 48, 3)).astype(np.uint8))
    image.save(buffer, "JPEG", exif=exif, comment=EXIF.encode())
    return buffer.getvalue()


def write_data(folder: Path) -> None:
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    for split in ("train", "test"):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["id", "path", "smiling", "hat"])
            for k, name in enumerate(IDS):
                rows.writerow([f"{name}-{split}", f"{name}.jpg", k % 2, k // 2 % 2])
    for k, name in enumerate(IDS):
        content = b"no picture" if k == 7 else photograph(rng)
        (folder / "images" / f"{name}.jpg").write_bytes(content)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A real run on photographs with metadata, in a folder whose name says whose they are."""
    root = tmp_path_factory.mktemp("disk")
    data, work = root / "alice" / "My Data", root / "work"
    write_data(data)
    work.mkdir()
    (root / "alice" / "audit.yaml").write_text(SPEC)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        overrides = (f"data_root='{data}'", "owner='https://bob:hunter2@intranet/x'")
        spec = str(root / "alice" / "audit.yaml")
        composed = load_spec(spec, overrides)
        options = RunOptions(
            out=Path("reports"),
            cache_dir=Path("cache"),
            command=f"auditor run {spec} data_root='{data}' --out {work}/reports",
            progress=Silent(),
        )
        return read_run((work / execute(composed, make_plan(composed), options)).resolve())


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose result names samples and rows of the data, reviewed by somebody who does too."""
    result = make_result()
    cards = [
        card.model_copy(update={"samples": tuple(f"patient-{name}" for name in card.samples)})
        for card in result.cards
    ]
    result = result.model_copy(update={"cards": tuple(cards)})
    sample = cards[0].samples[0]
    review = f"version: 1\nsignoff: {{comment: 'look at {sample} in /srv/alice/x.jpg'}}\n".encode()
    return read_run(
        write_run(tmp_path_factory.mktemp("runs"), result=result, review=review, clauses=[])
    )


def unpacked(pdf: bytes) -> bytes:
    """Every byte that a PDF can give: objects, streams, attachments, and the text of its pages."""
    found = [pdf]
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        for thing in opened.objects:
            if isinstance(thing, pikepdf.Stream):
                photo = thing.get("/Filter") == pikepdf.Name("/DCTDecode")
                found.append(bytes(thing.read_raw_bytes() if photo else thing.read_bytes()))
            found.append(thing.unparse(resolved=True))
            found += [bytes(each) for each in texts_of(thing)]
    found.append(text_of(pdf))
    return b"\n".join(found)


def text_of(pdf: bytes) -> bytes:
    """The words of the pages; Poppler reads them ten times as fast as pypdf."""
    if shutil.which("pdftotext"):
        return subprocess.run(
            ["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True
        ).stdout
    return b"".join(p.extract_text().encode() for p in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def texts_of(thing: pikepdf.Object) -> list[bytes]:
    """The strings of an object, decoded."""
    if isinstance(thing, pikepdf.String):
        return [str(thing).encode()]
    if isinstance(thing, pikepdf.Dictionary | pikepdf.Stream):
        return [text for _, value in thing.items() for text in direct(value)]
    if isinstance(thing, pikepdf.Array):
        return [text for value in thing for text in direct(value)]
    return []


def direct(value: object) -> list[bytes]:
    inside = isinstance(value, pikepdf.Object) and not value.is_indirect
    return texts_of(value) if inside else []


def pictures_in(pdf: bytes) -> int:
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        streams = (thing for thing in opened.objects if isinstance(thing, pikepdf.Stream))
        return sum(stream.get("/Subtype") == pikepdf.Name("/Image") for stream in streams)


def bytes_of(run: Run, mode: str) -> tuple[str, bytes, bytes]:
    """The page, the PDF, and everything in both."""
    html, pdf = (path.read_bytes() for path in render(run, formats=("html", "pdf"), images=mode))
    return html.decode(), pdf, html + unpacked(pdf)


def private_words(run: Run) -> set[str]:
    """What nobody but the owner may read: where things lie, and what gives access."""
    disk = next(folder for folder in run.paths.root.parents if folder.name.startswith("disk"))
    return {str(disk), "alice", "My Data", EXIF, "hunter2", *SECRETS, *SECRETS.values()}


def test_a_run_directory_records_no_absolute_path_no_secret_and_no_metadata(clinic: Run) -> None:
    words = private_words(clinic)
    for path in clinic.paths.root.rglob("*"):
        own = path == clinic.paths.source  # the user's own file, verbatim, shown nowhere
        if path.is_file() and not own and clinic.paths.states not in path.parents:
            content = path.read_bytes()
            assert not {w for w in words if w.encode() in content}, path
    for audit in ("relationships", "groups"):
        assert clinic.image_names(audit)
        for name in clinic.image_names(audit):
            stored = Image.open(io.BytesIO(clinic.image(audit, name)))
            assert not stored.getexif()
            assert "comment" not in stored.info
    assert len(clinic.record.quarantined) == 2, "one in each split"
    assert clinic.resolved.count("path-") >= 3
    assert clinic.record.provenance.command.startswith("auditor run path-")
    assert [each.name for each in clinic.record.provenance.inputs] == ["train.csv", "test.csv"]


def test_the_internal_report_names_samples_and_no_place_on_the_disk(clinic: Run) -> None:
    (page,) = render(clinic, formats=("html",))
    html = page.read_bytes()
    attached = {file.name: file.content for file in make_attachments(clinic, "full", None).files}
    everything = b"".join([html, *attached.values()])
    assert not {w for w in private_words(clinic) if w.encode() in everything}
    assert f"{IDS[7]}-train".encode() in html
    assert b"data:image/jpeg" in html
    assert attached["resolved.yaml"] == clinic.paths.resolved.read_bytes()


def test_a_withheld_report_holds_neither_samples_nor_pixels_nor_paths(clinic: Run) -> None:
    html, pdf, everything = bytes_of(clinic, "withheld")
    told = private_words(clinic) | set(IDS) | {clinic.record.key or "?"}
    assert not {w for w in told if w.encode() in everything}
    assert "data:image" not in html
    assert pictures_in(pdf) == 0
    for name in clinic.image_names("groups"):
        assert clinic.image("groups", name)[-400:-300] not in everything
    assert "withheld (digest " in html
    assert "sample-" in html
    assert "nobody else can try a photo" in html
    assert clinic.paths.html.name == "report.html"
    assert (clinic.paths.report / "report-withheld.html").is_file()


@pytest.mark.parametrize("mode", ["blurred", "heatmap_only", "withheld"])
def test_samples_and_rows_go_by_pseudonyms_in_every_report_for_others(named: Run, mode) -> None:
    ids = {sample for card in named.results["filters"].cards for sample in card.samples}
    rows = {name for card in named.results["filters"].cards for name in card.images}
    assert len(ids) > 4
    shown = for_audience(named, mode)
    models = [*shown.results.values(), *shown.findings, shown.record]
    texts = [shown.resolved, shown.source, shown.plan_text, (shown.review or b"").decode()]
    everything = b"".join([*map(document_bytes, models), *(text.encode() for text in texts)])
    assert not {w for w in (*ids, *rows, "alice") if w.encode() in everything}
    card, whole = shown.results["filters"].cards[0], named.results["filters"].cards[0]
    assert shown.image("filters", card.images[0]) == named.image("filters", whole.images[0])
    assert card.samples[0].encode() in (shown.review or b""), "one name for one sample"


def test_the_same_run_shows_everything_to_its_owners(named: Run) -> None:
    assert for_audience(named, "full") is named


def test_pseudonyms_depend_on_the_run_and_cannot_be_tried(named: Run) -> None:
    other = named.record.model_copy(update={"key": "f" * 32})
    mine, theirs = pseudonyms(named), pseudonyms(replace(named, record=other))
    assert mine.sample("a") == mine.sample("a") != theirs.sample("a")
    assert mine.picture("x", "row-1.jpg") != mine.picture("y", "row-1.jpg")
    assert mine.picture("x", "row-1.jpg").endswith(".jpg")


def test_numbers_in_sentences_stay_what_they_are(named: Run) -> None:
    samples = frozenset({"12", "2000", "smiling-07", "1000714"})
    names = replace(pseudonyms(named), samples=samples)
    assert names.text("12 of 2000 images") == "12 of 2000 images"
    assert "smiling-07" not in names.text("see smiling-07.")
    assert names.text("see 1000714.") == f"see {names.sample('1000714')}."
    assert names.text("see 10007140") == "see 10007140"
