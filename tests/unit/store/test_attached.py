"""Attachments of strangers' PDFs: read strictly, within limits, and never at the reader's cost."""

from __future__ import annotations

import io
import zlib

import pikepdf
import pytest

from auditor.store import attached
from auditor.store.attached import read_attachments, read_guarded


def pdf_with(files: dict[str, bytes]) -> pikepdf.Pdf:
    pdf = pikepdf.new()
    pdf.add_blank_page()
    for name, content in files.items():
        pdf.attachments[name] = pikepdf.AttachedFileSpec(pdf, content)
    return pdf


def saved(pdf: pikepdf.Pdf, **options: object) -> bytes:
    stream = io.BytesIO()
    pdf.save(stream, **options)
    return stream.getvalue()


def packed(content: bytes, **extra: object) -> bytes:
    """A PDF whose one attachment holds these packed bytes as they are."""
    pdf = pdf_with({"a.json": b""})
    stream = pdf.attachments["a.json"].get_file().obj
    stream.write(content, filter=pikepdf.Name("/FlateDecode"))
    for name, value in extra.items():
        stream[f"/{name}"] = value
    return saved(pdf, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)


def test_attachments_come_with_their_names_and_bytes() -> None:
    files = {"a.json": b"{}", "ä.bin": bytes(range(256)), "empty": b""}
    found = read_attachments(saved(pdf_with(files)))
    assert (found.files, found.damaged, found.problem) == (files, {}, None)
    assert read_guarded(saved(pdf_with(files))) == found


def test_a_damaged_stream_is_not_mended() -> None:
    whole = zlib.compress(b"evidence" * 100)
    for damage in (whole[:-1], whole[:-1] + b"?", whole[:20], whole + b"more", b"\0"):
        found = read_attachments(packed(damage))
        assert set(found.damaged) == {"a.json"}
        assert not found.files
    assert read_attachments(packed(whole)).files == {"a.json": b"evidence" * 100}


def test_a_packing_that_no_report_uses_is_not_unpacked() -> None:
    parameters = pikepdf.Dictionary(Predictor=12, Columns=1)
    found = read_attachments(packed(zlib.compress(b"x"), DecodeParms=parameters))
    assert "no report" in found.damaged["a.json"]


def test_what_unpacks_to_more_than_a_report_holds_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attached, "MAX_TOTAL", 1 << 20)
    bomb = packed(zlib.compress(bytes(1 << 24), 9))
    assert len(bomb) < 1 << 17
    assert set(read_attachments(bomb).damaged) == {"a.json"}


def test_more_attachments_than_a_report_has_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "MAX_FILES", 3)
    found = read_attachments(saved(pdf_with({f"{n}": b"x" for n in range(9)})))
    assert len(found.files) == 3
    assert found.problem


def test_a_tree_of_names_that_bites_its_tail_ends() -> None:
    pdf = pdf_with({"a.json": b"x"})
    tree = pdf.make_indirect(pikepdf.Dictionary())
    tree["/Kids"] = pikepdf.Array([tree, tree])
    pdf.Root.Names.EmbeddedFiles = tree
    found = read_attachments(saved(pdf))
    assert not found.files


def test_a_file_specification_without_a_file_is_damaged() -> None:
    pdf = pdf_with({"a.json": b"x", "b.json": b"y"})
    names = pdf.Root.Names.EmbeddedFiles.Names
    names[1] = pikepdf.Dictionary(Type=pikepdf.Name("/Filespec"))
    found = read_attachments(saved(pdf))
    assert found.problem or set(found.damaged) == {"a.json"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"%PDF-1.7",
        b"%PDF-1.7\n" + b"[" * 100_000,
        b"%PDF-1.7\n1 0 obj\n" + b"<</A" * 50_000,
        b"%PDF-1.7\nxref\n0 1\ntrailer\n<</Prev 9 /Root 1 0 R>>\nstartxref\n9\n%%EOF",
        b"%PDF-1.7\nxref\n0 99999999\ntrailer\n<</Size 99999999>>\nstartxref\n9\n%%EOF",
    ],
)
def test_what_is_no_sound_pdf_is_a_problem_in_words(content: bytes) -> None:
    found = read_attachments(content)
    assert not found.files
    assert found.problem


def test_an_encrypted_pdf_is_a_problem_in_words() -> None:
    locked = saved(pdf_with({"a.json": b"x"}), encryption=pikepdf.Encryption(user="u", owner="o"))
    assert "Password" in str(read_attachments(locked).problem)


def test_a_reader_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached, "TIME_LIMIT", 0.001)
    found = read_guarded(saved(pdf_with({"a.json": b"x"})))
    assert not found.files
    assert "longer than" in str(found.problem)


def test_a_reader_that_breaks_is_told_from_one_that_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attached.sys, "executable", "/bin/false")
    assert "broke" in str(read_guarded(b"%PDF-1.7").problem)
    monkeypatch.setattr(attached.sys, "executable", "/nowhere/python")
    assert "cannot be started" in str(read_guarded(b"%PDF-1.7").problem)
