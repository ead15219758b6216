"""The manifest tells every kind of tampering, and every seal remembers the one before."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.errors import ArtifactError
from auditor.results.base import canonical_json, digest_of
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
    assert found.num_files == 12


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


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 1}'])
def test_a_damaged_manifest_is_named(sealed: Path, content: str) -> None:
    (sealed / "manifest.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"manifest\.json"):
        verify_run(sealed)


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
