"""Paths and secrets: what is written down of a command line, a spec and an error."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.redaction import (
    mask_secrets,
    portable_path,
    redact_argument,
    redact_command,
    redact_text,
    redact_tree,
)


def hidden(path: str) -> str:
    return "PATH"


@pytest.fixture
def somewhere(monkeypatch, tmp_path):
    """A current folder and a home folder beside each other."""
    here, home = tmp_path / "work", tmp_path / "home" / "alice"
    here.mkdir()
    home.mkdir(parents=True)
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    return here, home


def test_paths_are_relative_to_here_to_home_or_hashed(somewhere):
    here, home = somewhere
    assert portable_path("data/a.csv") == "data/a.csv"
    assert portable_path("../data/a.csv") == "../data/a.csv"
    assert portable_path(f"{here}/data/a.csv") == "data/a.csv"
    assert portable_path(f"{here}/data/../b.csv") == "b.csv"
    assert portable_path(str(here)) == "."
    assert portable_path(f"{home}/data") == "~/data"
    assert portable_path(f"file://{home}/data") == "~/data"
    hashed = portable_path("/srv/alice/weights.safetensors")
    assert hashed.startswith("path-")
    assert hashed.endswith(".safetensors")
    assert "alice" not in hashed
    assert hashed == portable_path("/srv/alice/weights.safetensors")
    assert hashed != portable_path("/srv/bob/weights.safetensors")


def test_a_home_folder_at_the_root_hides_nothing_behind_a_tilde(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    assert portable_path("/srv/alice").startswith("path-")


@pytest.mark.parametrize(
    ("argument", "written"),
    [
        ("data_root=/home/alice/data", "data_root=PATH"),
        ("data_root='/home/alice/my data'", "data_root='PATH'"),
        ("--out=/tmp/x y", "--out=PATH"),
        ("/home/alice/audit.yaml", "PATH"),
        ("data_root=/srv/my a=b/c", "data_root=PATH"),
        ("/srv/my a=b/c", "PATH"),
        (r"C:\Users\alice\audit.yaml", "PATH"),
        (r"\\server\alice\audit.yaml", "PATH"),
        ("dataset.files={train:/srv/a/x.csv,test:/srv/a/y.csv}", None),
        ("~audits.filters", "~audits.filters"),
        ("engine.device=cuda:0", "engine.device=cuda:0"),
        ("report.clauses=[eu_ai_act,nist_ai_rmf]", "report.clauses=[eu_ai_act,nist_ai_rmf]"),
        ("title=https://bob:pw@host/x?token=abc&b=1", "title=https://***@host/x?token=***&b=1"),
        ("data_root=s3://KEY:SECRET@bucket/x", "data_root=s3://***@bucket/x"),
        ("HF_TOKEN=hf_abc", "HF_TOKEN=***"),
    ],
)
def test_arguments_keep_their_form_and_lose_paths_and_secrets(argument, written):
    found = redact_argument(argument, hidden)
    if written is None:
        assert found == "dataset.files={train:PATH,test:PATH}"
    else:
        assert found == written


def test_a_command_can_still_be_typed():
    command = "auditor run /srv/my/a.yaml 'data_root=/srv/my data' '~audits.x' --out o"
    said = redact_command(command, hidden)
    assert said == "auditor run PATH data_root=PATH '~audits.x' --out o"
    assert shlex.split(said)
    assert redact_command("auditor run 'never closed /a/b", hidden).endswith("PATH")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("there is no file /srv/a/x.jpg; and/or 3/4", "there is no file PATH; and/or 3/4"),
        ("see https://a.b/c/d (/a/b)", "see https://a.b/c/d (PATH)"),
        ("cannot identify '/srv/My Data/x y.jpg'", "cannot identify 'PATH'"),
        ("in ~/secret/notes.txt", "in PATH"),
        ("in ../../home/alice/x.csv", "in PATH"),
        ("file:///home/alice/x", "PATH"),
        ("</div> 1/2 a/b/c packaged:rules/p.yaml", "</div> 1/2 a/b/c packaged:rules/p.yaml"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
    ],
)
def test_sentences_lose_paths_and_nothing_else(text, written):
    assert redact_text(text, hidden) == written


def test_known_paths_are_found_whatever_they_are_made_of():
    known = ["/srv/My Data", "/srv/My Data/a, b"]
    said = redact_text("no /srv/My Data/a, b/c.csv and /srv/My Data", hidden, known)
    assert said == "no PATH/c.csv and PATH"


NAMES = st.text("abcXYZ019_-. äé", min_size=1, max_size=12).filter(
    lambda name: name.strip(". ") == name and name
)


@given(st.lists(NAMES, min_size=2, max_size=5), st.sampled_from(["k={}", "{}", "--x={}", "k='{}'"]))
def test_no_part_of_an_absolute_path_is_left(names, form):
    path = "/" + "/".join(f"{name}q" for name in names)
    said = redact_argument(form.format(path), hidden)
    assert said == form.format("PATH")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda t: st.lists(t) | st.dictionaries(
    st.text(), t), max_leaves=8))  # fmt: skip
def test_a_tree_without_texts_to_change_stays_as_it_is(tree):
    assert redact_tree(tree, str) == tree


@given(st.text("abc:/@ .=&?", max_size=40))
def test_masking_twice_changes_nothing(text):
    once = mask_secrets(text)
    assert mask_secrets(once) == once
