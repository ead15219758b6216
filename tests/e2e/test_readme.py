"""What the README shows works as shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_spec_in_the_readme_validates(auditor: Callable[..., Any], repository: Path) -> None:
    [spec] = re.findall(r"```yaml\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    Path("audit.yaml").write_text(spec)
    done = auditor("validate", "audit.yaml")
    assert done.code == 0, done.err
    assert "warning" not in done.err


def test_every_command_in_the_readme_exists(auditor: Callable[..., Any], repository: Path) -> None:
    commands = re.findall(
        r"^\$ auditor (\w+)", (repository / "README.md").read_text(), re.MULTILINE
    )
    listed = auditor("--help").out
    assert len(commands) >= 7
    assert not [command for command in commands if command not in listed]
