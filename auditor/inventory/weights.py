"""What a weights file says of itself without torch: digest, size, and the shapes it holds."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auditor.errors import InputError
from auditor.inventory.digest import existing_file, file_digest

MAX_HEADER = 100_000_000
"""The safetensors format allows no longer header, in bytes."""


@dataclass(frozen=True)
class WeightsInventory:
    """One weights file, archive or source file.

    Attributes:
        digest: SHA-256 of its bytes.
        num_bytes: Its size.
        shapes: Shape of each tensor by key, in the order of the file; None for other formats than
            safetensors, which only the adapters may open.
    """

    digest: str
    num_bytes: int
    shapes: dict[str, tuple[int, ...]] | None


def take_weights(path: str | Path) -> WeightsInventory:
    """Take stock of a weights file.

    Raises:
        InputError: when it is missing, or is called `.safetensors` and is not one.
    """
    file = existing_file(Path(path))
    shapes = safetensors_shapes(file) if file.suffix == ".safetensors" else None
    return WeightsInventory(file_digest(file), file.stat().st_size, shapes)


def safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Shapes from the header of a safetensors file.

    The file starts with the header's length as an unsigned 64-bit little-endian number, then the
    header as a JSON object: tensor name -> {dtype, shape, data_offsets} (huggingface/safetensors,
    "Format"). Nothing after the header is read.

    Raises:
        InputError: when the file does not start like that.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise _not_safetensors(path, "it does not start with the length of a header")
        text = stream.read(length)
    try:
        header = json.loads(text)
        shapes = {name: _shape(entry) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError, UnicodeDecodeError) as error:
        raise _not_safetensors(path, f"its header is damaged ({error})") from error
    return shapes


def _shape(entry: dict[str, Any]) -> tuple[int, ...]:
    shape = entry["shape"]
    if not all(isinstance(side, int) and side >= 0 for side in shape):
        raise ValueError(f"a shape is {shape!r}")
    return tuple(shape)


def _not_safetensors(path: Path, reason: str) -> InputError:
    return InputError(
        f"{path} is not a safetensors file: {reason}",
        hint="Save the state dict with safetensors.torch.save_file, or give a plain state dict "
        "the suffix .pt; a pickle of anything else is refused.",
    )
