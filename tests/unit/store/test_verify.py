"""The manifest tells every kind of tampering, and every seal remembers the one before.

The signature tells who made the manifest: without it, digests made anew go unseen.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.errors import ArtifactError
from auditor.results.base import canonical_json, digest_of
from auditor.store.documents import document_bytes
from auditor.store.evidence import run_evidence
from auditor.store.layout import RunPaths
from auditor.store.manifest import make_manifest, manifest_bytes
from auditor.store.sign import Signer
from auditor.store.verify import refuse_altered, verify_run
from auditor.store.writer import reopen_run

MakeRun = Callable[..., Path]


@pytest.fixture
def sealed(make_run: MakeRun) -> Path:
    return make_run()


def edit_json(path: Path, **changes: object) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, **changes}))


def test_an_untouched_run_is_intact(sealed: Path) -> None:
    found = verify_run(sealed)
    assert found.intact
    files = [path for path in sealed.rglob("*") if path.is_file() and "states" not in path.parts]
    assert found.num_files == len(files) - 1


def test_the_manifest_names_every_file_with_its_digest_and_size(sealed: Path) -> None:
    content = (sealed / "manifest.json").read_text()
    manifest = json.loads(content)
    assert content == canonical_json(manifest) + "\n"
    stated = manifest.pop("digest")
    assert stated == digest_of(manifest)
    assert not any(name.startswith("states/") for name in manifest["files"])
    for name, entry in manifest["files"].items():
        data = (sealed / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def test_a_moved_run_stays_intact(sealed: Path, tmp_path: Path) -> None:
    assert verify_run(Path(shutil.copytree(sealed, tmp_path / "elsewhere"))).intact


def test_states_are_safe_to_delete(sealed: Path) -> None:
    shutil.rmtree(sealed / "states")
    assert verify_run(sealed).intact


def test_changed_missing_and_added_files_are_named(sealed: Path) -> None:
    edit_json(sealed / "run.json", verdict="pass")
    image = sealed / "audits" / "relationships" / "images" / "0001.jpg"
    image.write_bytes(image.read_bytes()[:-1] + b"?")
    (sealed / "plan.txt").unlink()
    (sealed / "audits" / "relationships" / "extra.txt").write_text("x")
    (sealed / ".hidden").write_text("x")
    found = verify_run(sealed)
    assert found.changed == ("audits/relationships/images/0001.jpg", "run.json")
    assert found.missing == ("plan.txt",)
    assert found.added == (".hidden", "audits/relationships/extra.txt")


def test_a_link_is_not_what_was_sealed(sealed: Path, tmp_path: Path) -> None:
    same = tmp_path / "same.json"
    shutil.copy(sealed / "findings.json", same)
    (sealed / "findings.json").unlink()
    (sealed / "findings.json").symlink_to(same)
    assert verify_run(sealed).changed == ("findings.json",)


def test_a_folder_in_place_of_a_file_is_a_missing_file(sealed: Path) -> None:
    (sealed / "plan.txt").unlink()
    (sealed / "plan.txt").mkdir()
    assert verify_run(sealed).missing == ("plan.txt",)


def test_an_edited_manifest_gives_itself_away(sealed: Path) -> None:
    edit_json(sealed / "run.json", verdict="pass")
    manifest = json.loads((sealed / "manifest.json").read_text())
    data = (sealed / "run.json").read_bytes()
    manifest["files"]["run.json"] = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }
    (sealed / "manifest.json").write_text(canonical_json(manifest))
    assert verify_run(sealed).changed == ("manifest.json",)


def test_a_finished_run_without_manifest_was_altered(sealed: Path) -> None:
    (sealed / "manifest.json").unlink()
    found = verify_run(sealed)
    assert not found.intact
    assert found.missing == ("manifest.json",)


def test_an_unfinished_run_was_never_sealed(make_run: MakeRun) -> None:
    run = make_run(sealed=False)
    edit_json(run / "run.json", status="started")
    with pytest.raises(ArtifactError, match="never sealed"):
        verify_run(run)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 1}', '{"digest": {}}'])
def test_a_damaged_manifest_is_named(sealed: Path, content: str) -> None:
    (sealed / "manifest.json").write_text(content)
    found = verify_run(sealed)
    assert not found.intact
    assert found.changed == ("manifest.json",)


def test_a_manifest_of_a_newer_version_is_no_forgery(sealed: Path) -> None:
    body = json.loads((sealed / "manifest.json").read_text())
    body = {**body, "schema_version": 2}
    del body["digest"]
    text = canonical_json({**body, "digest": digest_of(body)})
    (sealed / "manifest.json").write_text(f"{text}\n")
    with pytest.raises(ArtifactError, match="newer auditor"):
        verify_run(sealed)


@pytest.mark.parametrize("signed", [False, True])
def test_one_flipped_byte_anywhere_names_its_file(
    sealed: Path, signer: Signer, signed: bool
) -> None:
    if signed:
        with reopen_run(sealed) as writer:
            writer.seal(signer)
    files = [path for path in sealed.rglob("*") if path.is_file() and "states" not in path.parts]
    assert ((sealed / "signature.dsse.json") in files) is signed
    rng = random.Random(7)
    for number in range(200):
        # Every other one by file, so that the small ones have their turn as well.
        sizes = [path.stat().st_size if number % 2 else 1 for path in files]
        (path,) = rng.choices(files, weights=sizes)
        before = path.read_bytes()
        place, flip = rng.randrange(len(before)), rng.randrange(1, 256)
        after = bytearray(before)
        after[place] ^= flip
        path.write_bytes(after)
        found = verify_run(sealed)
        assert not found.intact, (path, place, flip)
        assert found.changed == (path.relative_to(sealed).as_posix(),), (place, flip)
        path.write_bytes(before)
    assert verify_run(sealed).intact


def test_every_byte_of_the_manifest_counts(sealed: Path) -> None:
    manifest = sealed / "manifest.json"
    before = manifest.read_bytes()
    for place in (*range(0, len(before), 37), len(before) - 2, len(before) - 1):
        for flip in (0x01, 0x07, 0x20):  # 7 makes another white space of the last byte
            after = bytearray(before)
            after[place] ^= flip
            manifest.write_bytes(after)
            assert verify_run(sealed).changed == ("manifest.json",)


def test_two_runs_of_one_spec_have_the_same_evidence(make_run: MakeRun) -> None:
    first, second = make_run(), make_run()
    assert first != second
    assert (first / "evidence.json").read_bytes() == (second / "evidence.json").read_bytes()
    listed = json.loads((first / "evidence.json").read_text())["files"]
    assert {"findings.json", "spec/resolved.yaml", "audits/relationships/result.json"} < set(listed)
    assert not {"run.json", "plan.json", "manifest.json"} & set(listed)


def test_figures_that_are_drawn_again_are_no_evidence(sealed: Path) -> None:
    before = run_evidence(RunPaths(sealed))
    figures = sealed / "audits" / "relationships" / "figures"
    figures.mkdir()
    (figures / "graph.svg").write_text("<svg/>")
    assert run_evidence(RunPaths(sealed)) == before


def forge(run: Path, *, evidence: bool) -> None:
    """Claim that everything passed, and make the digests anew."""
    edit_json(run / "findings.json", findings=[])
    paths = RunPaths(run)
    if evidence:
        paths.evidence.write_bytes(document_bytes(run_evidence(paths)))
    paths.manifest.write_bytes(manifest_bytes(make_manifest(paths)))


def test_a_manifest_made_anew_still_disagrees_with_the_evidence(sealed: Path) -> None:
    forge(sealed, evidence=False)
    assert verify_run(sealed).changed == ("findings.json",)


def test_unsigned_evidence_does_not_show_forgery(sealed: Path) -> None:
    forge(sealed, evidence=True)
    assert verify_run(sealed).intact


def sign(run: Path, signer: Signer) -> None:
    with reopen_run(run) as writer:
        writer.seal(signer)


def test_signed_evidence_shows_forgery_even_without_the_key(sealed: Path, signer: Signer) -> None:
    sign(sealed, signer)
    forge(sealed, evidence=True)
    found = verify_run(sealed)
    assert found.unaltered
    assert not found.intact
    assert found.signature
    assert found.signature.uncovered == ("evidence.json", "findings.json")


def test_a_signed_run_is_intact_with_its_key_alone(
    sealed: Path, signer: Signer, stranger: Signer
) -> None:
    sign(sealed, signer)
    for key, state, intact in (
        (None, "unchecked", True),
        (signer.public, "valid", True),
        (stranger.public, "invalid", False),
    ):
        found = verify_run(sealed, public_key=key)
        assert found.signature
        assert (found.signature.state, found.intact) == (state, intact)
        assert found.signature.keyid == signer.public.keyid


def test_a_signature_that_was_taken_away_is_missed(sealed: Path, signer: Signer) -> None:
    assert verify_run(sealed).intact
    found = verify_run(sealed, public_key=signer.public)
    assert found.unaltered
    assert not found.intact


def test_a_forger_with_a_key_of_his_own_is_told_apart(
    sealed: Path, signer: Signer, stranger: Signer
) -> None:
    sign(sealed, signer)
    forge(sealed, evidence=True)
    sign(sealed, stranger)
    assert verify_run(sealed).intact  # nobody asked for the key
    assert not verify_run(sealed, public_key=signer.public).intact


def test_a_page_written_after_signing_is_not_covered(sealed: Path, signer: Signer) -> None:
    sign(sealed, signer)
    (sealed / "report").mkdir()
    (sealed / "report" / "report.html").write_text("rendered again")
    with reopen_run(sealed) as writer:
        writer.seal()
    assert verify_run(sealed).intact  # the evidence is what was signed
    found = verify_run(sealed, public_key=signer.public)
    assert found.signature
    assert found.signature.state == "valid"
    assert found.signature.uncovered == ("report/report.html",)
    assert not found.intact
    sign(sealed, signer)
    assert verify_run(sealed, public_key=signer.public).intact


def test_forged_evidence_is_not_signed_again(sealed: Path, signer: Signer) -> None:
    sign(sealed, signer)
    forge(sealed, evidence=True)
    before = (sealed / "signature.dsse.json").read_bytes()
    with pytest.raises(ArtifactError, match=r"not be signed again.*findings\.json"):
        sign(sealed, signer)
    assert (sealed / "signature.dsse.json").read_bytes() == before


def test_signing_twice_gives_the_same_bytes(sealed: Path, signer: Signer) -> None:
    sign(sealed, signer)
    before = (sealed / "signature.dsse.json").read_bytes()
    sign(sealed, signer)
    assert (sealed / "signature.dsse.json").read_bytes() == before


def test_each_seal_remembers_the_digests_before(sealed: Path) -> None:
    digests = [verify_run(sealed).digest]
    for number in range(2):
        with reopen_run(sealed) as writer:
            writer.write_review(f"# {number}\n".encode())
            digests.append(writer.seal().digest)
    found = verify_run(sealed)
    assert found.intact
    assert [*found.history, found.digest] == digests


def test_a_link_is_never_sealed(sealed: Path) -> None:
    (sealed / "link").symlink_to("/etc/hostname")
    with reopen_run(sealed) as writer, pytest.raises(ArtifactError, match="regular file"):
        writer.seal()


def test_altered_evidence_is_not_sealed_anew(sealed: Path) -> None:
    (sealed / "report").mkdir()
    (sealed / "report" / "report.html").write_text("about to be written again")
    refuse_altered(sealed, rewritten=("report/",))
    edit_json(sealed / "findings.json", findings=[])
    with pytest.raises(ArtifactError, match=r"altered.*findings\.json"):
        refuse_altered(sealed, rewritten=("report/",))
