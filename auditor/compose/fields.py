"""From pydantic's location of an error to the path in the spec, by walking the models' types.

Pydantic puts the tags of unions into its locations (`model.train.recipe`), which no user wrote.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from auditor.compose.place import Path


@dataclass(frozen=True)
class Spot:
    """A place in the spec, as the models see it.

    Attributes:
        path: Keys and indices as the user wrote them.
        model: The model that the last key belongs to, if it belongs to one.
        field: The field that the last key names, if there is such a field.
    """

    path: Path
    model: type[BaseModel] | None = None
    field: FieldInfo | None = None

    @property
    def known(self) -> list[str]:
        """Keys that may stand where the last one does."""
        return list(self.model.model_fields) if self.model else []


def spot(root: type[BaseModel], loc: tuple[int | str, ...]) -> Spot:
    """Follow a pydantic location from a root model."""
    here = Spot(())
    annotation: Any = root
    for segment in loc:
        if segment == "[key]":
            break
        annotation = bare(annotation)
        members = [bare(member) for member in union_members(annotation)]
        if members:
            annotation = member_tagged(members, segment)
        elif is_model(annotation):
            found = annotation.model_fields.get(str(segment))
            here = Spot((*here.path, segment), annotation, found)
            annotation = found.annotation if found else None
        elif get_origin(annotation) in (dict, tuple, list):
            here = Spot((*here.path, segment))
            annotation = item_type(annotation, segment)
        else:
            break
    return here


def bare(annotation: Any) -> Any:
    """A type without `Annotated` and without `| None`."""
    if get_origin(annotation) is Annotated:
        return bare(get_args(annotation)[0])
    members = [a for a in get_args(annotation) if a is not type(None)]
    if is_union(annotation) and len(members) == 1:
        return bare(members[0])
    return annotation


def is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def union_members(annotation: Any) -> list[Any]:
    if not is_union(annotation):
        return []
    return [a for a in get_args(annotation) if a is not type(None)]


def member_tagged(members: list[Any], tag: int | str) -> Any:
    """The member of a union that a tag chooses; None where the tag is a plain type's name."""
    for member in members:
        if is_model(member) and any(tag in tags for tags in tags_of(member).values()):
            return member
    return None


def tags_of(model: type[BaseModel]) -> Mapping[str, tuple[Any, ...]]:
    """Fields of a model that hold one of few fixed values."""
    found = {name: bare(info.annotation) for name, info in model.model_fields.items()}
    return {name: get_args(kind) for name, kind in found.items() if get_origin(kind) is Literal}


def item_type(annotation: Any, segment: int | str) -> Any:
    """Type of one item of a mapping, list or tuple."""
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        return arguments[1]
    if get_origin(annotation) is tuple and Ellipsis not in arguments:
        index = int(segment)
        return arguments[index] if index < len(arguments) else None
    return arguments[0]


def models(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and every model inside its fields, each once."""
    seen: list[type[BaseModel]] = []
    waiting: list[Any] = [root]
    while waiting:
        annotation = waiting.pop()
        if is_model(annotation):
            if annotation not in seen:
                seen.append(annotation)
                waiting += [info.annotation for info in annotation.model_fields.values()]
        else:
            waiting += [a for a in get_args(annotation) if a is not Ellipsis]
    yield from seen
