"""A PDF alone proves what it carries: every byte of it counts, and its attachments by name."""

from __future__ import annotations

import base64
import io
import json
import random
import re
import shutil

import pikepdf
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.errors import ArtifactError
from auditor.report.render import render
from auditor.store.agree import compare_reports
from auditor.store.attached import read_attachments
from auditor.store.layout import RunPaths
from auditor.store.reader import read_run
from auditor.store.seal import MARK, blank_seal, fill_seal, find_seal
from auditor.store.sign import Signer, Statement, make_statement
from auditor.store.verify_pdf import SIGNED_PDF, verify_pdf
from auditor.store.writer import reopen_run

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
STRANGER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(32)))

ATTACHED = ("evidence.json", "findings.json", "relationships.result.json", "resolved.yaml")


@pytest.fixture(scope="module")
def run(sealed, tmp_path_factory):
    """A run with both pages, signed."""
    folder = tmp_path_factory.mktemp("signed") / sealed.paths.root.name
    found = read_run(shutil.copytree(sealed.paths.root, folder))
    render(found, formats=("pdf",), signer=SIGNER)
    with reopen_run(found.paths.root) as writer:
        writer.seal(SIGNER)
    return found


@pytest.fixture(scope="module")
def content(run) -> bytes:
    return run.paths.pdf.read_bytes()


@pytest.fixture
def check(tmp_path):
    """Verify some bytes as a PDF, reading them in this process."""
    path = tmp_path / "report.pdf"

    def verify(data: bytes, *, read=read_attachments, public_key=None):
        path.write_bytes(data)
        return verify_pdf(path, read=read, public_key=public_key)

    return verify


def packed_places(content: bytes) -> dict[str, range]:
    """Attachment -> where its bytes lie in the file."""
    places = {}
    with pikepdf.open(io.BytesIO(content)) as pdf:
        for spec in pdf.Root.AF:
            raw = spec.EF.F.read_raw_bytes()
            start = content.index(raw)
            places[str(spec.UF)] = range(start, start + len(raw))
    return places


def first_page(content: bytes) -> bytes:
    """A report of one page with the same attachments, sealed: quick to read two hundred times."""
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        del pdf.pages[1:], pdf.Root["/StructTreeRoot"], pdf.Root["/Outlines"]
        as_it_is = pikepdf.StreamDecodeLevel.none
        pdf.save(stream, compress_streams=False, stream_decode_level=as_it_is)
    return sealed_anew(stream.getvalue(), SIGNER)


def flipped(content: bytes, place: int, flip: int) -> bytes:
    return content[:place] + bytes([content[place] ^ flip]) + content[place + 1 :]


def test_a_report_needs_nothing_but_itself(run, tmp_path, content):
    alone = tmp_path / "from a mail.pdf"
    alone.write_bytes(content)
    for key, state in ((None, "unchecked"), (SIGNER.public, "valid")):
        found = verify_pdf(alone, public_key=key)  # read as a user's is, in a process of its own
        assert found.intact
        assert found.signature.state == state
    assert found.num_files == 3
    assert "lie in the run directory alone" in found.notes[0]


def test_one_flipped_byte_in_an_attachment_names_it(content, check):
    content = first_page(content)
    assert check(content).intact
    places = packed_places(content)
    assert set(ATTACHED) < set(places)
    rng = random.Random(11)
    for _ in range(200):
        name = rng.choice(ATTACHED)
        place, flip = rng.choice(places[name]), rng.randrange(1, 256)
        found = check(flipped(content, place, flip))
        assert not found.intact, (name, place, flip)
        assert "report.pdf" in found.changed
        assert name in found.changed, (name, place, flip)


def test_one_flipped_byte_anywhere_in_a_report_is_seen(content, check):
    rng = random.Random(13)
    seal = packed_places(content)["seal.json"]
    first = [(place, 0x01) for place in (*range(8), len(content) - 1)]
    in_seal = [(rng.choice(seal), rng.randrange(1, 256)) for _ in range(60)]
    others = [(rng.randrange(len(content)), rng.randrange(1, 256)) for _ in range(200)]
    whole = read_attachments(content)
    for place, flip in (*first, *in_seal, *others):
        # The seal alone has to see it, so what is attached is read as if it were untouched.
        found = check(flipped(content, place, flip), read=lambda _: whole)
        assert not found.intact, (place, flip)
        assert found.changed == ("report.pdf",), (place, flip)


@pytest.mark.parametrize("tail", [b"\n", b"%%EOF\n", b"\n1 0 obj\n<<>>\nendobj\n"])
def test_what_is_written_behind_the_end_is_seen(content, check, tail):
    assert check(content + tail).changed == ("report.pdf",)


def test_a_report_saved_again_by_another_program_keeps_its_evidence(content, check):
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        pdf.save(stream)
    found = check(stream.getvalue())
    assert not found.intact
    assert found.changed == ("report.pdf",)
    assert any("What is attached is as it was" in note for note in found.notes)


def rewritten(content: bytes, change) -> bytes:
    stream = io.BytesIO()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        change(pdf)
        pdf.save(stream)
    return stream.getvalue()


def test_missing_and_added_attachments_are_named(content, check):
    def change(pdf):
        del pdf.attachments["relationships.result.json"]
        pdf.attachments["extra.json"] = pikepdf.AttachedFileSpec(pdf, b"{}")
        pdf.attachments["findings.json"] = pikepdf.AttachedFileSpec(pdf, b'{"findings": []}')

    found = check(rewritten(content, change))
    assert found.changed == ("report.pdf", "findings.json")
    assert found.missing == ("relationships.result.json",)
    assert found.added == ("extra.json",)


def test_without_its_evidence_nothing_can_be_told(content, check):
    def change(pdf):
        del pdf.attachments["evidence.json"]

    found = check(rewritten(content, change))
    assert "evidence.json" in found.missing
    assert not found.intact


def test_a_seal_of_its_own_is_not_believed_where_there_are_two(content, check):
    found = check(content + MARK + b'"sha256":""}')
    assert found.digest is None
    assert not found.intact


def sealed_anew(content: bytes, signer: Signer) -> bytes:
    """What a forger does: take somebody's report, change it, seal it with a key of his own."""
    place = find_seal(content)
    signed = json.loads(content[place])["signature"]
    digests = Statement.model_validate_json(base64.b64decode(signed["payload"])).digests()

    def statement_for(digest: str) -> bytes:
        stated = {**digests, SIGNED_PDF: digest}
        return make_statement(stated, verdict="pass", configuration={})

    blank = blank_seal(signer, statement_for)
    # Blanks behind a dictionary's end change nothing but the place of what follows.
    forged = content[: place.start] + blank + content[place.stop :]
    return fill_seal(forged, signer, statement_for)


def test_a_forger_who_seals_anew_cannot_sign(content, check):
    forged = sealed_anew(content, STRANGER)
    assert forged != content
    assert check(forged).signature.state == "unchecked"
    assert "report.pdf" not in check(forged).changed  # nobody asked for the key
    found = check(forged, public_key=SIGNER.public)
    assert found.signature.state == "invalid"
    assert not found.intact


def test_an_unsigned_report_is_not_what_was_signed(sealed, check):
    unsigned = sealed.paths.pdf.read_bytes()
    assert check(unsigned).intact
    assert not check(unsigned, public_key=SIGNER.public).intact


def test_a_signature_does_not_cover_a_report_that_was_changed(content, check):
    place = packed_places(content)["findings.json"][50]
    found = check(flipped(content, place, 0x01), public_key=SIGNER.public)
    assert found.signature.uncovered == (SIGNED_PDF,)


@pytest.mark.parametrize("data", [b"", b"hello", b"%PDF-1.7\n%%EOF"])
def test_a_file_that_is_no_report_ends_in_words(data, check):
    with pytest.raises(ArtifactError, match="not a report of auditor"):
        check(data)


@pytest.mark.parametrize("data", [MARK, MARK * 2, b"%PDF-1.7\n" + MARK + b"}\nendstream"])
def test_what_is_left_of_a_report_is_not_intact(data, check):
    found = check(data)
    assert "report.pdf" in found.changed
    assert "evidence.json" in found.missing


def test_a_page_of_other_findings_is_told_to_differ(run):
    assert [(page.file, page.state) for page in compare_reports(run.paths.root)] == [
        ("report/report.html", "agrees"),
        ("report/report.pdf", "agrees"),
    ]
    findings = run.paths.findings
    before = findings.read_bytes()
    body = json.loads(before)
    findings.write_text(json.dumps({**body, "findings": body["findings"][1:]}))
    pages = compare_reports(run.paths.root, read=read_attachments)
    findings.write_bytes(before)
    for page in pages:
        assert (page.state, page.why) == ("differs", "it was made from other findings")


def test_a_page_with_an_older_verdict_is_told_to_differ(run):
    before = run.paths.record.read_bytes()
    record = json.loads(before)
    run.paths.record.write_text(json.dumps({**record, "verdict": "pass"}))
    states = {page.file: page for page in compare_reports(run.paths.root, read=read_attachments)}
    run.paths.record.write_bytes(before)
    for page in states.values():
        assert (page.state, page.why) == ("differs", "it was made from other verdict")


def test_pages_that_say_nothing_and_results_that_cannot_be_read_are_unknown(run):
    html, findings = run.paths.html, run.paths.findings
    page, results = html.read_bytes(), findings.read_bytes()
    html.write_bytes(re.sub(rb'<meta name="auditor-[^>]*>', b"", page))
    (first, _) = compare_reports(run.paths.root, read=read_attachments)
    html.write_bytes(page)
    findings.write_bytes(b"{")
    unread = compare_reports(run.paths.root, read=read_attachments)
    findings.write_bytes(results)
    assert first.state == "unknown"
    assert {page.state for page in unread} == {"unknown"}


@pytest.mark.filterwarnings("ignore:unclosed file.*sRGB2014:ResourceWarning")
def test_a_report_that_shows_less_says_so_and_agrees(archived):
    found = verify_pdf(archived.paths.report / "report-withheld.pdf", read=read_attachments)
    assert found.intact
    assert any("shows less" in note for note in found.notes)
    (page,) = compare_reports(archived.paths.root, read=read_attachments)
    assert (page.file, page.state) == ("report/report-withheld.pdf", "agrees")


def test_what_the_pdf_carries_is_what_lies_in_the_run(run, content):
    files = read_attachments(content).files
    paths = RunPaths(run.paths.root)
    assert files["resolved.yaml"] == paths.resolved.read_bytes()
    assert files["findings.json"] == paths.findings.read_bytes()
    assert files["evidence.json"] == paths.evidence.read_bytes()
    assert files["run.json"] == paths.record.read_bytes()
    result = paths.audit("relationships").result.read_bytes()
    assert files["relationships.result.json"] == result
    assert read_run(run.paths.root).record.run_id == json.loads(files["run.json"])["run_id"]
