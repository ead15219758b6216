"""What a run has to say to one kind of evidence that clause maps name.

    measured      numbers of this run, or its own records
    attested      people wrote so, in the spec or in the review file
    not covered   neither

Every answer follows from the run alone, says in words what there is or why there is nothing, and
names the places of the report where it stands. None says that what was found is good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

State = Literal["measured", "attested", "not covered"]
"""What stands behind a clause, the strongest first."""


@dataclass(frozen=True)
class Place:
    """Where the report shows something: the id of an element, and what it is called."""

    anchor: str
    title: str


SUMMARY = Place("summary", "Summary")
TESTED = Place("tested", "Everything tested")
LIMITS = Place("limits", "Limits and statistical power")
REVIEW = Place("review", "Review and sign-off")
SIGN_OFF = Place("signoff", "Sign-off")
REPRODUCTION = Place("reproduction", "Reproduction")
COVER = Place("cover", "Cover")
COMPARISON = Place("baseline", "Against the baseline")


@dataclass(frozen=True)
class Answer:
    """What a run has to say to one kind of evidence.

    Attributes:
        state: What kind of support it is.
        words: What there is, or why there is nothing.
        places: Where the report shows it; empty where it is not covered.
    """

    state: State
    words: str
    places: tuple[Place, ...] = ()

    @classmethod
    def measured(cls, words: str, *places: Place) -> Self:
        """Numbers or records of the run."""
        return cls("measured", words, places)

    @classmethod
    def attested(cls, words: str, *places: Place) -> Self:
        """What people wrote."""
        return cls("attested", words, places)

    @classmethod
    def missing(cls, words: str) -> Self:
        """Nothing, and why."""
        return cls("not covered", words)
