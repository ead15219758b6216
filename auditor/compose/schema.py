"""JSON Schema of the file a user writes, which is not yet a whole spec.

Any part of it may come from a config group, so nothing is required; wherever something other
than text is expected, `${path.to.key}` may stand; and there is a defaults list.
"""

from __future__ import annotations

from pydantic import JsonValue

from auditor.catalog import AuditSpec
from auditor.compose.folders import packaged_groups
from auditor.compose.forbidden import INTERPOLATION

Schema = dict[str, JsonValue]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

REFERENCE: Schema = {"$ref": "#/$defs/Reference"}

NOTES = ("description", "default", "deprecated", "examples")
"""Keywords that describe a value and constrain nothing."""

CONSTRAINTS = ("enum", "const", "pattern", "format")
"""Keywords by which a schema for text refuses some text."""


def file_schema() -> Schema:
    """The schema, as plain JSON."""
    generated: Schema = AuditSpec.model_json_schema()
    definitions = generated.pop("$defs")
    describe(definitions, definitions)
    written = loosened(generated)
    properties = written["properties"]
    if not isinstance(definitions, dict) or not isinstance(properties, dict):
        raise TypeError("pydantic wrote a schema without definitions or properties")
    return {
        "$schema": DIALECT,
        **written,
        "title": "Audit spec",
        "properties": {"defaults": defaults_schema(), **properties},
        "$defs": {
            "Reference": {
                "description": "The value of another key of the spec, such as `${data_root}`.",
                "type": "string",
                "pattern": INTERPOLATION.pattern,
            },
            **{
                name: loosened(part) for name, part in definitions.items() if isinstance(part, dict)
            },
        },
    }


def describe(schema: JsonValue, definitions: JsonValue) -> None:
    """Give back the descriptions of properties that pydantic leaves to the model they refer to."""
    if not isinstance(schema, dict) or not isinstance(definitions, dict):
        return
    for part in schema.values():
        describe(part, definitions)
    properties = schema.get("properties")
    for part in properties.values() if isinstance(properties, dict) else ():
        reference = part.get("$ref") if isinstance(part, dict) else None
        if isinstance(part, dict) and isinstance(reference, str) and "description" not in part:
            model = definitions[reference.rpartition("/")[2]]
            if isinstance(model, dict) and "description" in model:
                part["description"] = model["description"]


def loosened(schema: Schema) -> Schema:
    """A schema of which any part may be missing and any part but text may be a reference."""
    kept = {key: value for key, value in schema.items() if key not in ("required", "discriminator")}
    members = kept.pop("oneOf", None)
    if members is not None:
        # Parts of a mapping fit several kinds at once as long as nothing says which it is.
        kept["anyOf"] = members
    if "patternProperties" in kept:
        kept.setdefault("additionalProperties", False)
    for key, value in list(kept.items()):
        if key == "properties" and isinstance(value, dict):
            kept[key] = {name: admitting(untitled(part)) for name, part in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            kept[key] = admitting(value)
        elif key in ("prefixItems", "anyOf") and isinstance(value, list):
            admit = admitting if key == "prefixItems" else loosened
            kept[key] = [admit(part) if isinstance(part, dict) else part for part in value]
        elif key == "patternProperties" and isinstance(value, dict):
            kept[key] = {
                pattern: admitting(part) if isinstance(part, dict) else part
                for pattern, part in value.items()
            }
    return kept


def admitting(schema: Schema) -> Schema:
    """A schema, or a reference in its place; its description stays outside."""
    part = loosened(schema)
    if any_text(part):
        return part
    notes: Schema = {key: part.pop(key) for key in NOTES if key in part}
    members = part["anyOf"] if list(part) == ["anyOf"] else [part]
    if not isinstance(members, list):
        raise TypeError("pydantic wrote an `anyOf` that is no list")
    return {**notes, "anyOf": [*members, REFERENCE]}


def any_text(schema: Schema) -> bool:
    """Whether a schema takes any text, references included."""
    members = schema.get("anyOf")
    if isinstance(members, list):
        return any(any_text(member) for member in members if isinstance(member, dict))
    return schema.get("type") == "string" and not any(key in schema for key in CONSTRAINTS)


def untitled(schema: JsonValue) -> Schema:
    """A property without the title that pydantic makes out of its name."""
    if not isinstance(schema, dict):
        raise TypeError("pydantic wrote a property that is no schema")
    return {key: value for key, value in schema.items() if key != "title"}


def defaults_schema() -> Schema:
    """The defaults list, with the packaged names of every group for completion."""
    text: Schema = {"type": "string"}
    groups: Schema = {
        group: {
            "description": f"Config of the group `{group}`: a file {group}/NAME.yaml.",
            "anyOf": [{"enum": [*names]}, text, {"type": "null"}, {"type": "array", "items": text}],
        }
        for group, names in packaged_groups().items()
    }
    return {
        "description": "Files to compose before this one, in this order: the folder of the spec "
        "is searched first, then the package. `_self_` stands for this file.",
        "type": "array",
        "items": {
            "anyOf": [
                text,
                {
                    "type": "object",
                    "minProperties": 1,
                    "maxProperties": 1,
                    "properties": groups,
                    "additionalProperties": {"type": ["string", "null", "array"]},
                },
            ]
        },
    }
