"""Networks that come as code: each runs what its file contains, so each needs `--allow-code`."""

from __future__ import annotations

import importlib.util
import traceback
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from auditor.adapters.models.scripted import ScriptedModule
from auditor.adapters.models.weights import first_line
from auditor.errors import InputError
from auditor.inventory.digest import existing_file
from auditor.near import suggest
from auditor.spec.model import ExportedModel, PythonModel, TorchScriptModel


def require_permission(what: str, *, allow_code: bool) -> None:
    """Refuse to run code that nobody allowed.

    Raises:
        InputError: naming the option that allows it.
    """
    if not allow_code:
        raise InputError(
            f"{what} runs the code it contains, which this run does not allow",
            hint="Add `--allow-code` if you trust the file; the report will say that it was used.",
        )


def open_torchscript(spec: TorchScriptModel) -> nn.Module:
    """Load a TorchScript archive, its layers as ordinary modules.

    Raises:
        InputError: The file is missing, is no such archive, or cannot be followed layer by layer.
    """
    path = existing_file(Path(spec.path))
    try:
        with warnings.catch_warnings():
            # torch deprecates the format; archives of it are audited all the same.
            warnings.simplefilter("ignore", FutureWarning)
            script = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is not a TorchScript archive: {first_line(error)}") from error
    return ScriptedModule(script)


def open_exported(spec: ExportedModel) -> nn.Module:
    """Load a `torch.export` archive with its module hierarchy, so that layers can be named.

    Raises:
        InputError: The file is missing, is no such archive, or takes one batch size only.
    """
    path = existing_file(Path(spec.path))
    try:
        program = torch.export.load(path)
    except (zipfile.BadZipFile, RuntimeError, ValueError, KeyError, OSError) as error:
        raise InputError(f"{path} is not a torch.export archive: {first_line(error)}") from error
    inputs = [
        node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs
    ]
    batch = inputs[0].meta["val"].shape[0] if inputs else None
    if isinstance(batch, int):
        raise InputError(
            f"{path} was exported for batches of exactly {batch}",
            hint="Export with dynamic_shapes={0: torch.export.Dim.AUTO} for the images.",
        )
    return torch.export.unflatten(program)


def open_python(spec: PythonModel) -> nn.Module:
    """Run a Python file and call its function, which returns the network.

    Raises:
        InputError: The file is missing, has no such function, or returns something else.
    """
    path = existing_file(Path(spec.file))
    found = importlib.util.spec_from_file_location("audited_network", path)
    if found is None or found.loader is None:
        raise InputError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(found)
    with blamed_on(path):
        found.loader.exec_module(module)
    functions = {name: value for name, value in vars(module).items() if callable(value)}
    if spec.function not in functions:
        raise InputError(
            f"{path} has no function {spec.function!r}",
            hint=suggest(spec.function, functions, "function", most=3),
        )
    with blamed_on(path):
        network = functions[spec.function]()
    if not isinstance(network, nn.Module):
        raise InputError(
            f"{spec.function}() in {path} returns a {type(network).__name__}, not a torch.nn.Module"
        )
    return network


@contextmanager
def blamed_on(path: Path) -> Iterator[None]:
    """Whatever the user's own code raises is named with the line of that file."""
    try:
        yield
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        place = f"{path}:{frames[-1].lineno}" if frames else str(path)
        raise InputError(f"{place} raised {type(error).__name__}: {error}") from error
