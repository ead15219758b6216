"""What the README shows works as shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auditor.catalog import AuditSpec
from auditor.compose.folders import packaged_groups
from auditor.compose.load import load_spec

Auditor = Callable[..., Any]


def specs_of(repository: Path) -> list[str]:
    """The whole specs that the README shows."""
    return re.findall(r"```yaml\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)


def test_the_specs_in_the_readme_validate(auditor: Auditor, repository: Path) -> None:
    found: list[AuditSpec] = []
    for text in specs_of(repository):
        Path("audit.yaml").write_text(text)
        done = auditor("validate", "audit.yaml")
        assert (done.code, done.err) == (0, "")
        found.append(load_spec("audit.yaml").spec)
    kinds = {audit.kind for spec in found for audit in spec.audits.values()}
    assert {"relationships", "filters", "groups"} <= kinds
    assert len({spec.name for spec in found}) == len(found)


def test_every_command_in_the_readme_exists(auditor: Auditor, repository: Path) -> None:
    commands = re.findall(
        r"^\$ auditor (\w+)", (repository / "README.md").read_text(), re.MULTILINE
    )
    listed = auditor("--help").out
    assert len(commands) >= 9
    assert not [command for command in commands if command not in listed]


def test_the_words_of_the_demo_are_listed_and_exported_as_shown(
    auditor: Auditor, repository: Path
) -> None:
    text = (repository / "README.md").read_text()
    for line in re.findall(r"^\$ auditor (words [^#\n]*)", text, re.MULTILINE):
        done = auditor(*line.split())
        assert done.code == 0, done.err
        # The README says how many words there are, and where their vectors come from.
        number = re.search(r"([\d,]+) words, 256 dimensions", done.out)
        assert number is not None
        assert f"{number[1]} common words" in text
        assert "not learnt from texts" in done.out
    assert Path("words.npz").is_file()


def test_every_kind_of_audit_and_every_packaged_spec_is_in_the_readme(repository: Path) -> None:
    text = (repository / "README.md").read_text()
    kinds = [path.name for path in (repository / "auditor" / "audits").iterdir() if path.is_dir()]
    specs = [path.stem for path in (repository / "specs").glob("*.yaml")]
    named = [name for name in (*kinds, *specs) if name != "__pycache__"]
    assert not [name for name in named if f"`{name}`" not in text]


def test_every_packaged_group_file_is_listed_beside_the_specs(repository: Path) -> None:
    listed = {
        row[0]: set(re.findall(r"`([^`]+)`", row[1]))
        for row in re.findall(
            r"^\| `(\w+)/` \|[^|]*\| (.*) \|$",
            (repository / "specs" / "README.md").read_text(),
            re.MULTILINE,
        )
    }
    assert listed == {group: set(names) for group, names in packaged_groups().items()}
