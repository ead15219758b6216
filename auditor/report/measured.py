"""Evidence that a run measured or recorded itself."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.audits.failures.result import FailuresResult
from auditor.audits.groups.result import GroupsResult
from auditor.audits.relationships.result import RelationshipsResult
from auditor.catalog import AnyResult
from auditor.report.answer import (
    COMPARISON,
    LIMITS,
    REPRODUCTION,
    SUMMARY,
    TESTED,
    Answer,
    Place,
)
from auditor.report.people import network_digest
from auditor.results.finding import Finding
from auditor.results.run_record import AuditRecord, InputRecord, PolicyOutcome
from auditor.store.reader import Run
from auditor.wording import (
    VERDICTS,
    count,
    counted,
    date,
    listing,
    percent,
    percent_with_interval,
    plain,
    sentence,
    short_digest,
)


def place_of(audit: AuditRecord) -> Place:
    return Place(f"audit-{audit.id}", plain(audit.title))


def decided(run: Run, audit: str) -> list[Finding]:
    return [f for f in run.findings if f.audit == audit and f.verdict != "inconclusive"]


def audits(run: Run, kind: str) -> Answer:
    """Audits of one kind: they cover something only if they ran and decided something."""
    own = [audit for audit in run.record.audits if audit.kind == kind]
    if not own:
        return Answer.missing("The spec has no such audit.")
    words = " ".join(sentence(f"{plain(a.title)}: {audit_words(run, a)}") for a in own)
    useful = [audit for audit in own if audit.status == "ok" and decided(run, audit.id)]
    return Answer.measured(words, *map(place_of, useful)) if useful else Answer.missing(words)


def audit_words(run: Run, audit: AuditRecord) -> str:
    if audit.status != "ok":
        return f"did not run to its end ({audit.status})"
    made = [finding for finding in run.findings if finding.audit == audit.id]
    return tally(made)


def tally(findings: Sequence[Finding]) -> str:
    """`196 of 214 checks decided, 8 failed, 1 warning`."""
    num_decided = sum(f.verdict != "inconclusive" for f in findings)
    failed = sum(f.verdict == "fail" for f in findings)
    warned = sum(f.verdict == "warn" for f in findings)
    words = f"{count(num_decided)} of {counted(len(findings), 'check')} decided"
    words += f", {count(failed)} failed" if failed else ", none failed" if num_decided else ""
    return words + (f", {counted(warned, 'warning')}" if warned else "")


def checks(run: Run) -> Answer:
    words = sentence(tally(run.findings))
    some = any(finding.verdict != "inconclusive" for finding in run.findings)
    return Answer.measured(words, TESTED) if some else Answer.missing(words)


def with_results(run: Run) -> list[tuple[AuditRecord, AnyResult]]:
    """Audits that left a result, in the order of the spec."""
    return [(a, run.results[a.id]) for a in run.record.audits if a.id in run.results]


def accuracy(run: Run) -> Answer:
    """How often the audited model is right, as audits measured it on the way."""
    words, places = [], []
    for audit, result in with_results(run):
        if said := accuracy_words(result):
            words.append(said)
            places.append(place_of(audit))
    if not words:
        return Answer.missing("No audit measured how often the model is right.")
    return Answer.measured(" ".join(words), *places)


def accuracy_words(result: AnyResult) -> str:
    if isinstance(result, RelationshipsResult):
        found = [a.balanced_accuracy.value for a in result.attributes]
        known = sorted(value for value in found if value is not None)
        if known:
            between = f"{percent(known[0])} to {percent(known[-1])}"
            return f"Balanced accuracy of {counted(len(known), 'attribute')}: {between}."
    if isinstance(result, FailuresResult):
        rows = {
            row.grouping: row
            for row in result.aggregate
            if row.inspected == "model" and row.base_error_rate.value is not None
        }
        return " ".join(
            f"Error rate over {counted(row.num_groups, 'tested group')} by "
            f"{plain(grouping.removeprefix('column:'))}: "
            f"{percent_with_interval(row.base_error_rate)}."
            for grouping, row in rows.items()
        )
    return ""


def feature_robustness(run: Run) -> Answer:
    """Robustness of the network that features come from, which is not the audited model's."""
    for network in run.record.provenance.training:
        robust = network.robust_accuracy
        if network.network == "extractor" and robust is not None and robust.value is not None:
            clean = network.clean_accuracy
            beside = f", on clean ones {percent_with_interval(clean)}" if clean else ""
            return Answer.measured(
                "The network that features come from is right on "
                f"{percent_with_interval(robust)} of attacked pictures{beside}. "
                "This says nothing about the audited model.",
                REPRODUCTION,
            )
    return Answer.missing("The run measured no network on attacked pictures.")


def data(run: Run) -> Answer:
    given = [i for i in run.record.provenance.inputs if i.role.startswith("dataset ")]
    named = [i for i in given if i.digest is not None]
    if not named:
        return Answer.missing("The run recorded no data set with a digest.")
    rows = [rows_words(given) for given in named]
    words = f"{counted(len(named), 'data set')} with SHA-256: {listing(rows)}."
    if missing := len(given) - len(named):
        words += f" {counted(missing, 'other')} without a digest."
    return Answer.measured(words, REPRODUCTION)


def rows_words(given: InputRecord) -> str:
    """`train, 8 000 pictures`."""
    name = plain(given.role.removeprefix("dataset "))
    return name + (f" ({counted(given.num_rows, 'picture')})" if given.num_rows is not None else "")


def label_statistics(run: Run) -> Answer:
    words, places = [], []
    for audit, result in with_results(run):
        if isinstance(result, RelationshipsResult):
            shares = sum(a.share_present.value is not None for a in result.attributes)
            pairs = sum(pair.label_correlation.value is not None for pair in result.pairs)
            if not shares:
                continue
            words.append(
                f"How often each of {counted(shares, 'attribute')} occurs, and how "
                f"{counted(pairs, 'pair')} of them go together in the labels."
            )
        elif isinstance(result, GroupsResult) and result.groups:
            words.append(f"Pictures in each of {counted(len(result.groups), 'group')}.")
        else:
            continue
        places.append(place_of(audit))
    if not words:
        return Answer.missing("No audit counted attributes or groups of the data.")
    return Answer.measured(" ".join(words), *places)


def unreadable(run: Run) -> Answer:
    if not run.results:
        return Answer.missing("No audit ran to its end.")
    number = len(run.record.quarantined)
    if not number:
        return Answer.measured("Every picture that was needed could be read.", LIMITS)
    return Answer.measured(
        f"{counted(number, 'picture')} could not be read and took no part.", LIMITS
    )


def model(run: Run) -> Answer:
    digest = network_digest(run, "model")
    if digest is None:
        return Answer.missing("The run recorded no weights of the audited model.")
    return Answer.measured(f"Weights with SHA-256 {short_digest(digest)}…", REPRODUCTION)


def training(run: Run) -> Answer:
    for network in run.record.provenance.training:
        if network.network == "model":
            epochs = counted(network.num_epochs, "epoch")
            return Answer.measured(
                f"The spec holds the recipe of the audited model; fitted for {epochs}.",
                REPRODUCTION,
            )
    return Answer.missing("The audited model was fitted elsewhere.")


def verdict(run: Run) -> Answer:
    came_to, rules = run.record.verdict, run.record.policy
    if came_to is None or not rules:
        return Answer.missing("The run came to no verdict.")
    missed = sum(rule.verdict not in {"pass", "warn"} for rule in rules)
    return Answer.measured(
        f"{VERDICTS[came_to]}: {count(missed)} of {counted(len(rules), 'target')} not met.",
        SUMMARY,
    )


def outcomes_named(run: Run, prefix: str) -> list[PolicyOutcome]:
    return [rule for rule in run.record.policy if rule.name.startswith(f"{prefix}:")]


def limits(run: Run) -> Answer:
    rules = outcomes_named(run, "limit")
    if not rules:
        return Answer.missing("The policy sets no limit on a metric.")
    kept = sum(rule.verdict == "pass" for rule in rules)
    broken = sum(rule.verdict == "fail" for rule in rules)
    words = (
        f"{counted(len(rules), 'limit')} on metrics: {count(kept)} kept, {count(broken)} broken, "
        f"{count(len(rules) - kept - broken)} undecided."
    )
    return Answer.measured(words, SUMMARY) if kept or broken else Answer.missing(words)


def power(run: Run) -> Answer:
    rules = outcomes_named(run, "power")
    if not rules:
        return Answer.missing("The policy asks for no statistical power.")
    known = [rule for rule in rules if rule.estimate is not None]
    reached = sum(rule.verdict == "pass" for rule in rules)
    words = f"{count(reached)} of {counted(len(rules), 'demand')} on statistical power reached."
    return Answer.measured(words, SUMMARY) if known else Answer.missing(words)


def uncertainty(run: Run) -> Answer:
    def has_interval(finding: Finding) -> bool:
        return any(e.low is not None and e.high is not None for e in finding.estimates.values())

    number = sum(map(has_interval, run.findings))
    if not number:
        return Answer.missing("No check states a confidence interval.")
    checks = counted(len(run.findings), "check")
    words = f"{count(number)} of {checks} state a confidence interval"
    return Answer.measured(f"{words}; what each audit could not see is listed.", LIMITS)


def comparison(run: Run) -> Answer:
    if run.comparison is None:
        return Answer.missing("The run was not compared with an earlier one.")
    before = plain(run.comparison.before.run_id)
    return Answer.measured(f"Compared with run {before}, finding by finding.", COMPARISON)


def record(run: Run) -> Answer:
    started = date(run.record.times.started)
    return Answer.measured(
        f"Run {run.record.run_id} of {started}, with command, versions, inputs and a digest of "
        "every file.",
        REPRODUCTION,
    )


def reproduction(run: Run) -> Answer:
    revision = run.record.provenance.revision
    code = f"revision {short_digest(revision)}" if revision else "no revision of the spec's folder"
    dirty = ", with uncommitted changes" if run.record.provenance.dirty else ""
    return Answer.measured(f"Spec, plan, machine, packages and seeds; {code}{dirty}.", REPRODUCTION)
