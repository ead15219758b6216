"""The borders of the house that a reader relies on, checked by machine."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "auditor"

TORCH_FREE = (
    "spec",
    "results",
    "catalog",
    "context",
    "needs",
    "notebook",
    "inventory",
    "compose",
    "plan",
    "judge",
    "store",
    "report",
    "cli",
)
"""Parts that must load on a machine without torch."""

MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def label(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def torch_free_modules() -> Iterator[str]:
    for part in TORCH_FREE:
        for path in sorted((PACKAGE / part).rglob("*.py")) or [PACKAGE / f"{part}.py"]:
            name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)
            yield name.removesuffix(".__init__")


def python(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run code where importing torch fails at once."""
    for name in ("torch", "torchvision"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('torch must not be loaded here')\n")
    path = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    return subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_needs_no_torch_loads_without_it(tmp_path: Path) -> None:
    done = python("\n".join(f"import {name}" for name in torch_free_modules()), tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_root_loads_neither_torch_nor_pydantic(tmp_path: Path) -> None:
    code = "import auditor, sys; print(sorted({'torch', 'pydantic', 'numpy'} & set(sys.modules)))"
    assert python(code, tmp_path).stdout.strip() == "[]"


def test_help_loads_typer_alone(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from auditor.cli.main import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'pydantic', 'numpy', 'rich', 'hydra', 'pyarrow', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = python(code, tmp_path)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_run_loads_torchvision_only_for_what_comes_from_it() -> None:
    code = "import auditor.engine.execute, sys; print('torchvision' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "False", done.stderr


def test_packages_are_empty_inside() -> None:
    # An __init__ that re-exports a computation loads torch behind everybody's back.
    inits = [path for path in sources() if path.name == "__init__.py" and path.parent != PACKAGE]
    assert [label(path) for path in inits if path.read_text()] == []


def test_nobody_imports_the_package_root() -> None:
    offenders = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "auditor"]
            if "auditor" in names:
                offenders.append(f"{label(path)}:{node.lineno}")
    assert offenders == []


def test_files_and_functions_stay_small() -> None:
    large = []
    for path in sources():
        text = path.read_text()
        if len(text.splitlines()) > MOST_LINES:
            large.append(label(path))
        functions = [
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        ]
        large += [
            f"{label(path)}:{node.lineno} {node.name}"
            for node in functions
            if code_lines(node) > MOST_LINES_OF_A_FUNCTION
        ]
    assert large == []


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring: a contract may be as long as it must."""
    docstring = ast.get_docstring(node, clean=False)
    contract = docstring.count("\n") + 1 if docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - contract


def test_every_exemption_names_its_rule() -> None:
    bare = re.compile(r"#\s*(type:\s*ignore(?!\[)|noqa(?!:))")
    assert [label(path) for path in sources() if bare.search(path.read_text())] == []


def test_imports_point_down() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [lint, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
