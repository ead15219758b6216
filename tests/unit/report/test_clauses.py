"""The clause map: states follow from the run alone, nothing is hidden, nothing is claimed."""

from __future__ import annotations

import dataclasses
import html
import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import ArtifactError
from auditor.report import answer
from auditor.report.clauses import (
    NAMES,
    STATES,
    Evidence,
    clause_state,
    clause_states,
    make_clauses,
)
from auditor.resources import templates_dir
from auditor.results.estimate import Estimate
from auditor.results.finding import findings_digest
from auditor.results.run_record import PolicyOutcome, TrainingRecord
from auditor.spec.clauses import Clause, EvidenceKind
from auditor.store.reader import read_run
from tests.unit.finished_run import Outline, page_of
from tests.unit.report.test_review import review_of

KINDS = get_args(EvidenceKind)


def evidence(run) -> dict[str, Evidence]:
    """Every kind of evidence, by way of a map that names them all in one clause."""
    own = house(run, f"{{id: all, heading: x, asks: y, evidence: [{', '.join(KINDS)}]}}")
    return {one.kind: one for one in make_clauses(own).evidence}


def with_record(run, **changes):
    return dataclasses.replace(run, record=run.record.model_copy(update=changes))


def with_spec(run, **changes):
    return dataclasses.replace(run, spec=run.spec.model_copy(update=changes))


def with_findings(run, **changes):
    found = tuple(finding.model_copy(update=changes) for finding in run.findings)
    return dataclasses.replace(run, findings=found)


def house_text(*clauses: str) -> str:
    """A map of its own."""
    lines = "version: 1\ntitle: House <b>rules</b>\nedition: '2'\ndate: 2026-01-31\nrevision: 3\n"
    return f"{lines}source: shelf\nclauses:\n" + "".join(f"  - {clause}\n" for clause in clauses)


def house(run, *clauses: str):
    """The run with one map of its own, and no other."""
    return dataclasses.replace(run, clauses={"house": house_text(*clauses)})


@pytest.fixture(scope="module")
def page(run) -> str:
    return page_of(run)


def test_every_kind_of_evidence_has_a_name_and_an_answer(run):
    assert tuple(NAMES) == KINDS
    assert set(evidence(run)) == set(KINDS)
    assert all(one.words for one in evidence(run).values())


def test_what_a_run_of_one_audit_covers(run):
    states = {kind: one.state for kind, one in evidence(run).items()}
    missing = {kind for kind, state in states.items() if state == "not covered"}
    assert missing == {
        "comparison", "decisions", "failures", "feature_robustness", "filters", "groups", "policy",
        "power", "sign_off", "training",
    }  # fmt: skip
    attested = {kind for kind, state in states.items() if state == "attested"}
    assert attested == {"purpose", "out_of_scope", "owner", "reasons"}


def test_words_state_what_was_found_too(run):
    words = {kind: one.words.replace("\xa0", " ") for kind, one in evidence(run).items()}
    decided = sum(finding.verdict != "inconclusive" for finding in run.findings)
    tally = f"{decided} of {len(run.findings)} checks decided, 20 failed, 1 warning."
    assert words["relationships"] == f"Attribute relationships: {tally}"
    assert words["limits"] == "1 limit on metrics: 0 kept, 1 broken, 0 undecided."
    assert words["unreadable"] == "1 picture could not be read and took no part."


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("relationships", lambda r: with_findings(r, verdict="inconclusive")),
        ("checks", lambda r: with_findings(r, verdict="inconclusive")),
        ("uncertainty", lambda r: with_findings(r, estimates={})),
        ("accuracy", lambda r: dataclasses.replace(r, results={})),
        ("label_statistics", lambda r: dataclasses.replace(r, results={})),
        ("unreadable", lambda r: dataclasses.replace(r, results={})),
        ("data", lambda r: without_inputs(r)),
        ("model", lambda r: without_inputs(r)),
        ("verdict", lambda r: with_record(r, verdict=None)),
        ("limits", lambda r: with_record(r, policy=r.record.policy[:2])),
        ("purpose", lambda r: with_spec(r, purpose="")),
        ("out_of_scope", lambda r: with_spec(r, out_of_scope="")),
        ("owner", lambda r: with_spec(r, owner="")),
        ("reasons", lambda r: dataclasses.replace(r, rules=())),
    ],
)
def test_evidence_that_goes_is_missed(run, kind, changed):
    assert evidence(run)[kind].state != "not covered"
    gone = evidence(changed(run))[kind]
    assert gone.state == "not covered"
    assert gone.places == ()


def without_inputs(run):
    provenance = run.record.provenance.model_copy(update={"inputs": ()})
    return with_record(run, provenance=provenance)


def test_an_audit_that_broke_covers_nothing_and_says_so(run):
    audit = run.record.audits[0].model_copy(update={"status": "failed", "verdict": None})
    found = evidence(with_record(run, audits=(audit,)))["relationships"]
    assert (found.state, "failed" in found.words) == ("not covered", True)


def trained(network: str) -> TrainingRecord:
    share = Estimate(value=0.8, low=0.7, high=0.9, level=0.95, num_samples=100)
    return TrainingRecord(
        network=network, name="net", digest="f" * 64, device="cpu", num_epochs=2,
        clean_accuracy=share, robust_accuracy=share,
    )  # fmt: skip


def test_robust_features_are_never_taken_for_a_robust_model(run):
    def kinds(network: str) -> dict[str, Evidence]:
        provenance = run.record.provenance.model_copy(update={"training": (trained(network),)})
        return evidence(with_record(run, provenance=provenance))

    features = kinds("extractor")["feature_robustness"]
    assert features.state == "measured"
    assert "nothing about the audited model" in features.words
    assert kinds("extractor")["training"].state == "not covered"
    assert kinds("model")["training"].state == "measured"
    robustness = {c.id: c for c in clause_states(run)[0].clauses}["Art. 15(4)"]
    assert robustness.state == "not covered"


def test_power_counts_where_it_could_be_told(run):
    def outcome(estimate):
        rule = PolicyOutcome(
            name="power:x", target="x", value="x", verdict="inconclusive", estimate=estimate
        )
        return evidence(with_record(run, policy=(rule,)))["power"].state

    assert outcome(None) == "not covered"
    assert outcome(Estimate(value=0.1, low=0.0, high=0.2, level=0.95)) == "measured"


def test_decisions_and_signatures_attest_only_what_they_were_made_about(run):
    decided = dataclasses.replace(run, review=review_of(run))
    assert evidence(decided)["decisions"].state == "attested"
    assert "Jana <b>Doe</b>" in evidence(decided)["decisions"].words
    stale = dataclasses.replace(run, review=review_of(run, digest="a" * 64))
    assert evidence(stale)["decisions"].state == "not covered"

    def signed(digest: str):
        review = f"""version: 1
signoff: {{name: Jo Roe, role: safety lead, date: 2025-03-03, findings_digest: {digest}}}
"""
        return evidence(dataclasses.replace(run, review=review.encode()))["sign_off"]

    assert signed(findings_digest(run.findings)).words == (
        "Signed by Jo Roe, safety lead, 2025-03-03."
    )
    assert signed("b" * 64).state == "not covered"
    assert "other findings" in signed("b" * 64).words


@given(st.lists(st.sampled_from(KINDS), unique=True), st.data())
def test_a_clause_takes_the_strongest_state_and_hides_nothing(kinds, data):
    states = {kind: data.draw(st.sampled_from(STATES)) for kind in kinds}
    known = {kind: Evidence(kind, NAMES[kind], states[kind], "words", ()) for kind in kinds}
    clause = Clause(id="1", heading="x", asks="y", evidence=tuple(kinds))
    found = clause_state(clause, known)
    assert sorted(one.kind for _, group in found.by_state for one in group) == sorted(kinds)
    strongest = next((state for state in STATES if state in states.values()), "not covered")
    assert found.state == strongest


def test_counts_add_up_and_match_the_page(run, page):
    frameworks = clause_states(run)
    assert [framework.id for framework in frameworks] == ["eu_ai_act", "nist_ai_rmf", "iso_42001"]
    for framework in frameworks:
        assert sum(framework.tally.values()) == len(framework.clauses)
        part = page.split(f'id="clauses-{framework.id}"')[1].split("</table>")[0]
        rows = part.split("<tbody>")[1]
        for state, number in framework.tally.items():
            cells = re.findall(rf'<td><span class="standing {state.replace(" ", "-")}">', rows)
            assert len(cells) == number
        assert rows.count("<tr>") == len(framework.clauses)


def test_every_link_of_the_map_leads_somewhere(page):
    part = page.split('<section id="clauses"')[1].split("</section>")[0]
    ids = {attrs["id"] for _, attrs in Outline(page).tags if "id" in attrs}
    links = {attrs["href"] for tag, attrs in Outline(part).tags if tag == "a"}
    assert {"#audit-relationships", "#cover", "#reproduction", "#summary"} <= links
    assert {link.removeprefix("#") for link in links} <= ids
    assert '<a href="#clauses">' in page.split("<main")[0]


def test_every_place_that_an_answer_can_name_is_a_part_of_the_report():
    templates = "".join(path.read_text() for path in templates_dir().rglob("*.jinja"))
    places = [value for value in vars(answer).values() if isinstance(value, answer.Place)]
    assert len(places) == 8
    assert all(f'id="{place.anchor}"' in templates for place in places)


def test_the_page_claims_nothing(page):
    text = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))
    assert not re.search(r"complian|\bcomplies\b|conform|certifi", text, re.IGNORECASE)
    assert "No state says that a clause is met" in text


def test_a_map_of_ones_own_is_shown_escaped(run):
    own = house(
        run, '{id: "<i>1</i>", heading: h, asks: "<script>x()</script>", beyond: "{{ 7 }}"}'
    )
    page = page_of(own)
    assert "House &lt;b&gt;rules&lt;/b&gt;" in page
    assert "&lt;script&gt;x()&lt;/script&gt;" in page
    assert "&lt;i&gt;1&lt;/i&gt;" in page
    assert "Beyond a run: {{ 7 }}" in page
    assert 'id="clauses-eu_ai_act"' not in page


def test_a_damaged_map_is_named_with_its_place(run):
    with pytest.raises(
        ArtifactError, match=r"clauses/house\.yaml is damaged[\s\S]*house\.yaml:8:46[\s\S]*verify"
    ) as error:
        clause_states(house(run, "{id: R1, heading: h, asks: a, evidence: [magic]}"))
    assert "expected `relationships`" in str(error.value)


def test_a_run_without_maps_has_no_such_section(run):
    page = page_of(dataclasses.replace(run, clauses={}))
    assert 'id="clauses"' not in page
    assert "Clause map" not in page


def test_the_maps_lie_in_the_run_directory_and_are_read_from_there(run):
    files = sorted(path.name for path in run.paths.clauses.iterdir())
    assert files == ["eu_ai_act.yaml", "iso_42001.yaml", "nist_ai_rmf.yaml"]
    assert run.clauses["iso_42001"] == (run.paths.clauses / "iso_42001.yaml").read_text()


def test_maps_are_found_whatever_path_the_run_may_show(make_run, tmp_path):
    own = tmp_path / "house.yaml"
    own.write_text(house_text("{id: R1, heading: h, asks: a}"))
    run = make_run(clauses=[str(own), "iso_42001"])
    resolved = run.paths.resolved
    resolved.write_text(resolved.read_text().replace(str(own), "path-0123456789.yaml"))
    read = read_run(run.paths.root)
    assert list(read.clauses) == ["iso_42001", "house"]
    assert clause_states(read)[1].title == "House <b>rules</b>"
