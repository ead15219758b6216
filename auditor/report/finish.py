"""What WeasyPrint leaves open in a PDF, put in place before the file is written.

- A header cell says whether it heads a row or a column (Scope, ISO 32000-1, table 349).
- Attachments are declared: each with its media type and AFRelationship, all of them associated
  with the document (ISO 19005-3, annex E). PDF/A-3 asks for it, and PDF/UA-1 allows it.
- The seal is stored unpacked and without a checksum, so that it can be filled in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import pydyf  # type: ignore[import-untyped]

from auditor.report.attachments import Attachment
from auditor.store.seal import MARK

MEDIA_TYPES = {".json": "application/json", ".yaml": "application/yaml"}
"""Not left to the system's own table, which knows YAML on some machines only."""


def finish(pdf: pydyf.PDF, attached: Sequence[Attachment]) -> None:
    """Complete a PDF; see above."""
    scope_headers(pdf)
    declare(pdf, {file.name: file.relationship for file in attached})
    unpack_seal(pdf)


def scope_headers(pdf: pydyf.PDF) -> None:
    """Header cells in a table's head head columns, those in its body head rows."""
    rows = [thing for thing in pdf.objects if is_tagged(thing, "/TR")]
    for row in rows:
        in_head = is_tagged(target(pdf, row["P"]), "/THead")
        for cell in (target(pdf, reference) for reference in row["K"]):
            if is_tagged(cell, "/TH") and "A" in cell:
                cell["A"]["Scope"] = "/Column" if in_head else "/Row"


def declare(pdf: pydyf.PDF, relationships: dict[str, str]) -> None:
    """Say what each attachment is to the document."""
    specs: list[Any] = [
        thing
        for thing in pdf.objects
        if isinstance(thing, dict) and thing.get("Type") == "/Filespec"
    ]
    for spec in specs:
        name = spec["UF"].string
        if name not in relationships:
            raise ValueError(f"a template attaches {name}, which is no evidence of the run")
        spec["AFRelationship"] = f"/{relationships[name]}"
        media_type = MEDIA_TYPES[PurePath(name).suffix]
        target(pdf, spec["EF"]["F"]).extra["Subtype"] = pydyf.name(media_type)
    pdf.catalog["AF"] = pydyf.Array([spec.reference for spec in specs])


def unpack_seal(pdf: pydyf.PDF) -> None:
    """Leave the seal as it is, so that its place in the file can be found."""
    for thing in pdf.objects:
        embedded = isinstance(thing, pydyf.Stream) and thing.extra.get("Type") == "/EmbeddedFile"
        if embedded and thing.stream[0].startswith(MARK):
            thing.compress = False
            del thing.extra["Params"]["CheckSum"]


def is_tagged(thing: Any, tag: str) -> bool:
    return isinstance(thing, dict) and thing.get("S") == tag


def target(pdf: pydyf.PDF, reference: Any) -> Any:
    """The object that a reference such as `12 0 R` names."""
    return pdf.objects[int(reference.split()[0])]
