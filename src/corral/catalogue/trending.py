"""The trending score: what people like and fetch now.

For a repository at time `now`, with ages in days and a half-life of `HALF_LIFE` = 7 days, decay(age) = 2^(-age / 7):

    score = sum over its likes of decay(age of the like)
          + 2 * ln(1 + sum over its days of decay(age of the day) * clients that downloaded it on that day)

- A like counts once per account, and a client (an address) once per day, however often it downloads: somebody who
  clones a thousand times in a day adds 2 * ln 2 = 1.4 at most, less than two likes, and 4.9 if he never stops.
- The logarithm damps downloads: a tenfold audience adds 4.6. So a model that a training loop fetches everywhere does
  not hide one that people have just come to like.
- After two weeks without news a quarter of the likes' part is left. Equal scores are listed newest first.

Likes older than ten half-lives count for nothing. The score is written with two decimals, when it changed.
"""

from __future__ import annotations

import math
from collections import defaultdict

from sqlalchemy import BigInteger, func, literal_column, select, update

from corral.context import Context
from corral.storage import schema as t

HALF_LIFE = 7.0
#: what the logarithm of the decayed number of downloading clients weighs against one like of now
DOWNLOADS_WEIGHT = 2.0

_DAY_MS = 86_400_000
_MEMORY_MS = int(10 * HALF_LIFE * _DAY_MS)
_BATCH = 1000


def decay(age_ms: float) -> float:
    return float(0.5 ** (max(0.0, age_ms) / (HALF_LIFE * _DAY_MS)))


def score(likes: float, clients: float) -> float:
    """From the decayed number of likes and of downloading clients per day."""
    return round(likes + DOWNLOADS_WEIGHT * math.log1p(clients), 2)


def recompute(ctx: Context) -> int:
    """Bring every score up to date; returns how many changed. Three queries, however many repositories there are."""
    now = ctx.clock()
    likes: defaultdict[int, float] = defaultdict(float)
    clients: defaultdict[int, float] = defaultdict(float)
    day = t.downloads.c.at // literal_column(str(_DAY_MS), BigInteger)
    per_day = select(t.downloads.c.repo_id, day, func.count(t.downloads.c.client.distinct())).group_by(
        t.downloads.c.repo_id, day
    )
    with ctx.db.read() as c:
        for repo_id, at in c.execute(
            select(t.likes.c.repo_id, t.likes.c.created_at).where(t.likes.c.created_at > now - _MEMORY_MS)
        ):
            likes[repo_id] += decay(now - at)
        for repo_id, number, distinct in c.execute(per_day):
            # a day ages from its end on
            clients[repo_id] += decay(now - (number + 1) * _DAY_MS) * distinct
        scored = select(t.listings.c.repo_id, t.listings.c.trending).where(t.listings.c.trending != 0)
        shown = {row.repo_id: row.trending for row in c.execute(scored)}
    scores = {i: score(likes[i], clients[i]) for i in likes.keys() | clients.keys()}
    changed = [(i, scores.get(i, 0.0)) for i in scores.keys() | shown.keys() if scores.get(i, 0.0) != shown.get(i, 0.0)]
    for at in range(0, len(changed), _BATCH):
        with ctx.db.write() as c:
            for repo_id, value in changed[at : at + _BATCH]:
                c.execute(update(t.listings).where(t.listings.c.repo_id == repo_id).values(trending=value))
    return len(changed)
