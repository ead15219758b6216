"""Signing and verifying from the command line: words, exit codes, and the same in JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auditor.compose.composed import Composed
from auditor.compose.load import load_spec
from auditor.store.seal import blank_seal, fill_seal
from auditor.store.writer import reopen_run
from tests.unit.conftest import SPEC

MakeRun = Callable[..., Path]
Auditor = Callable[..., Any]

SENTENCE = "unsigned evidence shows accidents, signed evidence shows forgery"


@pytest.fixture
def composed(here: Path) -> Composed:
    """A spec whose report is a page alone, which is quick to render."""
    (here / "audit.yaml").write_text(f"{SPEC}report: {{formats: [html], clauses: []}}\n")
    return load_spec("audit.yaml", ["engine.device=cpu"])


@pytest.fixture
def key(here: Path) -> Ed25519PrivateKey:
    """A key, with `key.pem` and `key.pub.pem` in the current folder."""
    made = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    (here / "key.pem").write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (here / "key.pub.pem").write_bytes(
        made.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return made


def test_an_unsigned_run_says_what_digests_can_show(auditor: Auditor, make_run: MakeRun) -> None:
    done = auditor("verify", str(make_run()))
    assert done.code == 0
    assert f"signature: none; {SENTENCE}" in done.out
    assert "verdict: intact" in done.out


def test_a_run_is_signed_checked_and_signed_again(
    auditor: Auditor,
    make_run: MakeRun,
    key: Ed25519PrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run()
    done = auditor("verify", str(run), "--public-key", "key.pub.pem")
    assert done.code == 1
    assert "signature: none, although a public key was given" in done.out

    assert auditor("report", str(run), "--sign-key", "key.pem").code == 0
    done = auditor("verify", str(run))
    assert done.code == 0
    assert "not checked: give --public-key" in done.out
    assert "report/report.html: " in done.out
    done = auditor("verify", str(run), "--public-key", "key.pub.pem", "--json")
    document = done.document()
    assert (done.code, document["ok"], document["signature"]["state"]) == (0, True, "valid")

    # The same page again is still what was signed; one made on another day is not.
    assert "signature" not in auditor("report", str(run)).out
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000000")
    done = auditor("report", str(run))
    assert done.code == 0
    assert "signature: it no longer covers " in done.out
    assert "run.json" in done.out
    assert f"`auditor report {run} --sign-key KEY.pem`" in done.out
    assert auditor("verify", str(run)).code == 0
    done = auditor("verify", str(run), "--public-key", "key.pub.pem")
    assert done.code == 1
    assert "it does not cover " in done.out
    assert "verdict: not what was signed" in done.out

    done = auditor("report", str(run), "--sign-key", "key.pem")
    assert "signature" not in done.out
    assert auditor("verify", str(run), "--public-key", "key.pub.pem").code == 0


@pytest.mark.parametrize("command", [("run", "audit.yaml"), ("report", "tiny")])
def test_a_key_that_cannot_be_used_stops_before_any_work(
    auditor: Auditor, make_run: MakeRun, command: tuple[str, ...]
) -> None:
    before = make_run()
    done = auditor(*command, "--sign-key", "absent.pem")
    assert done.code == 2
    assert done.err.startswith("error: the key absent.pem cannot be read")
    assert list(before.parent.iterdir()) == [before]


def test_a_public_key_that_cannot_be_used_is_a_mistake_of_usage(
    auditor: Auditor, make_run: MakeRun, key: Ed25519PrivateKey
) -> None:
    done = auditor("verify", str(make_run()), "--public-key", "key.pem", "--json")
    assert (done.code, done.document()["ok"]) == (2, False)
    assert "openssl pkey" in done.err


def test_a_damaged_manifest_is_altered_and_not_no_run(auditor: Auditor, make_run: MakeRun) -> None:
    run = make_run()
    (run / "manifest.json").write_bytes(b"\xff")
    done = auditor("verify", str(run), "--json")
    assert done.code == 1
    assert done.document()["changed"] == ["manifest.json"]
    assert "altered" in auditor("verify", str(run)).out


def test_a_damaged_record_is_altered_and_not_no_run(auditor: Auditor, make_run: MakeRun) -> None:
    run = make_run()
    (run / "run.json").write_bytes(b"\xff")
    done = auditor("verify", str(run), "--json")
    assert (done.code, done.document()["changed"]) == (1, ["run.json"])


def test_a_page_that_shows_something_else_is_named(auditor: Auditor, make_run: MakeRun) -> None:
    run = make_run()
    assert auditor("report", str(run)).code == 0
    record = json.loads((run / "run.json").read_text())
    assert record["verdict"] == "fail"
    # Somebody hides the verdict on the page and seals the run anew.
    page = run / "report" / "report.html"
    page.write_text(page.read_text().replace('verdict" content="fail"', 'verdict" content="pass"'))
    with reopen_run(run) as writer:
        writer.seal()
    done = auditor("verify", str(run))
    assert done.code == 1
    assert "report/report.html: does not agree with the results: it was made from other" in done.out
    assert "a report does not show these results" in done.out


def pdf_of(run: Path) -> bytes:
    """A PDF of one empty page with what a report carries, sealed like one."""
    pdf = pikepdf.new()
    pdf.add_blank_page()
    for name, content in {
        "evidence.json": (run / "evidence.json").read_bytes(),
        "findings.json": (run / "findings.json").read_bytes(),
        "relationships.result.json": (run / "audits/relationships/result.json").read_bytes(),
        "resolved.yaml": (run / "spec/resolved.yaml").read_bytes(),
        "run.json": (run / "run.json").read_bytes(),
        "seal.json": blank_seal(None, str.encode),
    }.items():
        pdf.attachments[name] = pikepdf.AttachedFileSpec(pdf, content)
    stream = io.BytesIO()
    pdf.save(stream, compress_streams=False)
    return fill_seal(stream.getvalue(), None, str.encode)


def test_a_pdf_alone_is_verified(auditor: Auditor, make_run: MakeRun, here: Path) -> None:
    content = pdf_of(make_run())
    (here / "copy.pdf").write_bytes(content)
    done = auditor("verify", "copy.pdf")
    assert done.code == 0, done.out
    assert "pdf: copy.pdf" in done.out
    assert SENTENCE in done.out
    assert "verdict: intact (3 files sealed)" in done.out
    (here / "copy.pdf").write_bytes(content.replace(b'"verdict": "fail"', b'"verdict": "pass"'))
    done = auditor("verify", "copy.pdf", "--json")
    assert done.code == 1
    assert done.document()["changed"] == ["copy.pdf", "findings.json"]


def test_a_file_that_is_no_report_is_not_a_run(auditor: Auditor, here: Path) -> None:
    (here / "notes.txt").write_text("hello")
    done = auditor("verify", "notes.txt")
    assert done.code == 2
    assert "is no PDF" in done.err
