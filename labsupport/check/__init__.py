"""Claims that can fail and exercises that check themselves.

A claim is a sentence, numbers from several seeds, and one rule for all: it is held if the whole 95 percent t-interval
of their mean lies on the claimed side of the bound; a claim that two things are equal, if the whole interval lies
inside a margin named beforehand. Its line is printed, compared by the tests, and remembered for the scorecard of
chapter 9.
"""

from __future__ import annotations

from labsupport.check.answers import exercise
from labsupport.check.claims import CONFIDENCE, claim
from labsupport.check.records import Claim, recorded
from labsupport.intervals import interval
from labsupport.teach.visible import question

# interval: for the numbers beside a claim; question: for assignments, as exercise for the chapters
__all__ = ["CONFIDENCE", "Claim", "claim", "exercise", "interval", "question", "recorded"]
