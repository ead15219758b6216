"""What may be written down of where files lie and of what gives access to something.

A run says which files it read, and not where on whose disk they lie: a path below the current
folder is written relative to it, one below the home folder with `~`, any other as a short digest
with the suffix of its name. Passwords, tokens and signatures are masked.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

MASK = "***"

ROOTED = r"(?:file:/{0,2}|[A-Za-z]:[\\/]|\\\\|~[\w.-]*/|/|\.\./)"
"""How a path begins that does not lie below the current folder."""

WHOLE = re.compile(rf"{ROOTED}[^\n]*")
"""Such a path from end to end, blanks included."""

QUOTED = re.compile(rf"(?P<mark>['\"`])(?P<path>{ROOTED}[^'\"`\n]*[\\/][^'\"`\n]+)(?P=mark)")
"""Such a path in quotation marks, blanks included."""

INSIDE = re.compile(
    r"(?<![\w./\\~<-])(?:"
    r"file:[^\s'\"<>]+"
    r"|~[\w.-]*/[^\s'\"<>,;)\]}]*"
    r"|(?:[A-Za-z]:[\\/]|\\\\)[^\s'\"<>,;)\]}]+"
    r"|(?:\.\./)+[^\s'\"<>,;)\]}]*"
    r"|/(?!/)[^\s'\"<>/,;)\]}]+(?:/[^\s'\"<>/,;)\]}]*)+"
    r")"
)
"""Such a path inside a sentence: of two names at least, since one alone may be a word."""

USER = re.compile(r"(?<=://)[^/\s@'\"]+(?=@)")
"""Who fetches a URL, and the password."""

SECRET = re.compile(
    r"(?i)((?:token|secret|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|credentials?"
    r"|signature)[\w.-]*=|\bbearer\s+)(['\"]?)[^\s'\"&,;}\]]+"
)
"""A value that is named as one that gives access."""

ShowPath = Callable[[str], str]
"""From a path that does not lie below the current folder to how it is written."""


def mask_secrets(text: str) -> str:
    """The text without what gives access: users in URLs, and values named as tokens or such."""
    return SECRET.sub(rf"\1\2{MASK}", USER.sub(MASK, text))


def portable_path(path: str) -> str:
    """A path as a run directory writes it: relative to here, with `~`, or a digest.

    A relative path stays as it is. The digest is that of the path, so
    that equal paths can be told to be equal.
    """
    if not WHOLE.fullmatch(path) or path.startswith(("~/", "../")):
        return path
    full = Path(os.path.normpath(re.sub(r"^file:/{0,2}(?=/)", "", path)))
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where there is none
    for folder, short in ((Path.cwd(), "."), (home, "~")):
        if folder != Path(folder.anchor) and full.is_relative_to(folder):
            return (Path(short) / full.relative_to(folder)).as_posix()
    return f"path-{hashlib.sha256(path.encode()).hexdigest()[:10]}{suffix(path)}"


def suffix(path: str) -> str:
    """The suffix of a file's name, which says what it is and not whose."""
    found = PurePosixPath(path.replace("\\", "/")).suffix
    return found if re.fullmatch(r"\.[A-Za-z0-9]{1,12}", found) else ""


def redact_value(value: str, show: ShowPath) -> str:
    """A value that may be a path as a whole, such as one of a spec."""
    masked = mask_secrets(value)
    return show(masked) if WHOLE.fullmatch(masked) else masked


def redact_text(text: str, show: ShowPath, known: Iterable[str] = ()) -> str:
    """A sentence that may speak of paths.

    Args:
        text: The sentence.
        show: How a path is written.
        known: Paths that it may hold, which are found whatever characters they are made of.
    """
    text = mask_secrets(text)
    for path in sorted(filter(WHOLE.fullmatch, known), key=len, reverse=True):
        text = text.replace(path, show(path))
    text = QUOTED.sub(lambda m: f"{m['mark']}{show(m['path'])}{m['mark']}", text)
    return INSIDE.sub(lambda m: show(m[0]), text)


def redact_argument(argument: str, show: ShowPath) -> str:
    """An argument of the command line: a path, `key=path`, `--option=path`, or anything else."""
    if WHOLE.fullmatch(argument):
        return redact_value(argument, show)
    name, equals, value = argument.partition("=")
    quote = value[0] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else ""
    bare = value.strip(quote) if quote else value
    if not WHOLE.fullmatch(bare):
        return redact_text(argument, show)
    return f"{name}{equals}{quote}{redact_value(bare, show)}{quote}"


def redact_command(command: str, show: ShowPath) -> str:
    """A command line, argument by argument."""
    try:
        arguments = shlex.split(command)
    except ValueError:  # a quotation mark that nothing closes: no shell has seen this
        return redact_text(command, show)
    return shlex.join(redact_argument(argument, show) for argument in arguments)


def redact_tree(tree: Any, redact: Callable[[str], str]) -> Any:
    """Every text of a JSON value; keys stay."""
    match tree:
        case str():
            return redact(tree)
        case dict():
            return {key: redact_tree(value, redact) for key, value in tree.items()}
        case list() | tuple():
            return [redact_tree(value, redact) for value in tree]
        case _:
            return tree


def texts(tree: Any) -> list[str]:
    """Every text of a JSON value, keys left out."""
    found: list[str] = []
    match tree:
        case str():
            found.append(tree)
        case dict():
            found += [text for value in tree.values() for text in texts(value)]
        case list() | tuple():
            found += [text for value in tree for text in texts(value)]
    return found
