"""Two ways of spoiling a file: bytes that know nothing, and trees that stay valid YAML or JSON."""

from __future__ import annotations

import json
import random
from typing import Any

import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

TOKENS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80", b"\r", b"\t", b"\x1b[31m",
    b"\xe2\x80\xae", b"\n\n", b"---\n", b"...\n", b"!!python/object/apply:os.system ", b"!!set ",
    b"!!binary ", b"!!timestamp ", b"&a ", b"*a ", b"<<: ", b"? ", b"- ", b": ", b"{", b"}", b"[",
    b"]", b'"', b"'", b"|\n", b">\n", b"#", b"%YAML 9.9\n", b"${name}", b"${oc.env:HOME}", b"${",
    b"${a.b[0]}", b"~", b"null", b"true", b"1e999", b"-0.0", b".nan", b".inf", b"0x1F", b"0o17",
    b"1_000", b"12:30:45", b"2026-02-30", b"9" * 400, b"-1", b"1e-320", b"_target_: os.system\n",
    b"hydra: {}\n", b"defaults: [x]\n", b"../../etc/passwd", b"a" * 5000, b"\\u0000", b"\\ud800",
    b"NaN", b"Infinity", b"{{ 7*7 }}", b"<script>", b"PAR1",
)  # fmt: skip
"""What parsers, composers and readers are known to stumble over."""

ODD_TEXTS = (
    "", " ", "~", "\x00", "\x1b[2J", "\u202e", "é", "🦊", "a" * 3000, "${name}", "${", "../..",
    "/dev/zero", "<b>", "latest", "__class__", "_target_", "1", "null", "a\nb", "%s%n", "\ufeff",
    "\ud7ff", "*", "[", "relationships", "train", "test", "smiling", "hat",
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2, 2**31, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400, 0.0, -0.0, 0.5, 1e-320,
    1e308, -1e308, 3.5, 99999999,
)  # fmt: skip


def examples(count: int) -> settings:
    """As many examples, the same ones every time, however long each takes."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def spoilt(content: bytes, chance: random.Random) -> bytes:
    """The content with one to four accidents."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(content) + 1)
        to = min(len(content), at + chance.choice((1, 2, 8, 64, 512)))
        match chance.randrange(8):
            case 0:
                content = content[:at]
            case 1:
                content = content[:at] + content[to:]
            case 2 | 3:
                content = content[:at] + chance.choice(TOKENS) + content[at:]
            case 4:
                content = content[:at] + chance.choice(TOKENS) + content[to:]
            case 5:
                content = content[:at] + content[at:to] * 2 + content[to:]
            case 6:
                other = chance.randrange(len(content) + 1)
                content = content[:at] + content[other : other + to - at] + content[to:]
            case _:
                content = content[:at] + chance.randbytes(to - at) + content[to:]
    return content


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(ODD_NUMBERS),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(ODD_TEXTS),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def spoilt_trees(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with one to three parts replaced, removed, renamed, doubled or moved."""
    tree = json.loads(json.dumps(tree))
    for _ in range(draw(st.integers(1, 3))):
        places = [place for place in containers(tree) if place]
        if not places:
            break
        place = draw(st.sampled_from(places))
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        match draw(st.integers(0, 11)):
            case 0 | 1:
                place[key] = draw(VALUES)
            case 2:
                del place[key]
            case 3 if isinstance(place, dict):
                place[draw(st.sampled_from(ODD_TEXTS) | st.text(max_size=8))] = place.pop(key)
            case 4:
                place[key] = json.loads(json.dumps(draw(st.sampled_from(places))))
            case 5 if isinstance(place, list):
                place.insert(0, place[key])
            case 6:
                place[key] = draw(SCALARS)
            case _:
                place[key] = draw(alike(place[key]))
    return tree


def alike(value: Any) -> st.SearchStrategy[Any]:
    """A value of the same kind: types are checked early, what a value means is met late."""
    match value:
        case bool():
            return st.just(not value)
        case int():
            return st.sampled_from([n for n in ODD_NUMBERS if isinstance(n, int)]) | st.integers()
        case float():
            return st.sampled_from(ODD_NUMBERS) | st.floats(allow_nan=False, allow_infinity=False)
        case str():
            return st.sampled_from(ODD_TEXTS) | st.text(max_size=8)
        case list():
            return st.sampled_from(([], value[:1], [*value, *value]))
        case dict():
            return st.sampled_from(({}, dict(list(value.items())[:1])))
        case _:
            return SCALARS


def containers(tree: Any) -> list[Any]:
    """Every mapping and list of a tree, the tree itself first."""
    found = [tree] if isinstance(tree, dict | list) else []
    for place in found:
        inner = place.values() if isinstance(place, dict) else place
        found += [item for item in inner if isinstance(item, dict | list)]
    return found


def as_yaml(tree: Any) -> str:
    """The tree as a person might have written it."""
    return yaml.dump(tree, allow_unicode=True, sort_keys=False, Dumper=yaml.CSafeDumper)
