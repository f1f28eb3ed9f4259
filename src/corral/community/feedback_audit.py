"""What makes an opinion on a model's answer doubtful, said to the owner who decides: nothing is thrown away unseen.

Three signs: many that say the same of the same answer, one person's many within minutes, and a person whose thumbs are
unlike those of everybody else (a two-sided test of two proportions, pooled; Agresti, Categorical Data Analysis, 3.2).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from corral.community.feedback import Entry
from corral.context import Context
from corral.repos.lookup import Repo
from corral.storage import schema as t

#: opinions looked at, the newest
_WINDOW = 10_000
#: a person is compared with the others from so many opinions on, of them and of the others
_LEAST = 8
#: standard errors between a person's share of thumbs up and that of the others, from which on it is a sign
_OUTLIER = 3.5
#: so many of one person within so many milliseconds are a burst
_BURST, _BURST_MS = 15, 120_000


@dataclass(frozen=True, slots=True)
class Sign:
    """`kind`: duplicate | burst | outlier. `text` says it to the owner."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class _Vote:
    number: int
    rater: int
    good: bool
    at: int
    answer: tuple[str, str]


def signs(ctx: Context, repo: Repo, entries: Sequence[Entry]) -> dict[str, list[Sign]]:
    """Object id -> what is odd about it. One query, whatever the number of entries."""
    columns = (t.feedback.c.id, t.feedback.c.user_id, t.feedback.c.good, t.feedback.c.created_at)
    query = (
        select(*columns, t.feedback.c.input_digest, t.feedback.c.output_digest)
        .where(t.feedback.c.repo_id == repo.id)
        .order_by(t.feedback.c.id.desc())
        .limit(_WINDOW)
    )
    with ctx.db.read() as c:
        votes = [
            _Vote(row.id, row.user_id, bool(row.good), row.created_at, (row.input_digest, row.output_digest))
            for row in c.execute(query)
        ]
    same = Counter((vote.answer, vote.good) for vote in votes)
    outliers, hurried = _outliers(votes), _hurried(votes)
    found: dict[str, list[Sign]] = defaultdict(list)
    for entry in entries:
        answer = (entry.input_digest, entry.output_digest)
        again = same[answer, entry.opinion.good] - 1
        if again > 0:
            others = "1 other opinion says" if again == 1 else f"{again} other opinions say"
            found[entry.object_id].append(Sign("duplicate", f"{others} the same of this answer."))
        if entry.id in hurried:
            found[entry.object_id].append(
                Sign("burst", f"{entry.rater} gave {_BURST} or more opinions within {_BURST_MS // 60_000} minutes.")
            )
        if text := outliers.get(entry.rater_id):
            found[entry.object_id].append(Sign("outlier", f"{entry.rater} {text}"))
    return dict(found)


def _outliers(votes: Sequence[_Vote]) -> Mapping[int, str]:
    given: Counter[int] = Counter(vote.rater for vote in votes)
    up: Counter[int] = Counter(vote.rater for vote in votes if vote.good)
    all_up, every = sum(up.values()), len(votes)
    found: dict[int, str] = {}
    for rater, number in given.items():
        rest = every - number
        if number < _LEAST or rest < _LEAST:
            continue
        share, others = up[rater] / number, (all_up - up[rater]) / rest
        pooled = all_up / every
        error = math.sqrt(pooled * (1 - pooled) * (1 / number + 1 / rest))
        if error and abs(share - others) / error > _OUTLIER:
            found[rater] = f"rates unlike the others: {share:.0%} thumbs up, the others {others:.0%}."
    return found


def _hurried(votes: Sequence[_Vote]) -> set[int]:
    """The numbers of the votes that belong to a burst of one person."""
    of_rater: dict[int, list[_Vote]] = defaultdict(list)
    for vote in votes:
        of_rater[vote.rater].append(vote)
    found: set[int] = set()
    for own in of_rater.values():
        own.sort(key=lambda vote: vote.at)
        for first, last in zip(own, own[_BURST - 1 :], strict=False):
            if last.at - first.at <= _BURST_MS:
                found.update(vote.number for vote in own if first.at <= vote.at <= last.at)
    return found
