"""How long a page of a list takes with 100,000 models in the catalogue.

    python bench/lists.py [--models 100000] [--database sqlite:///… | postgresql://…]

Fills an empty database (a temporary SQLite file unless another is named) with models whose tags, owners and numbers are
spread as on a real hub (a few are common, most are rare), then prints the median and the slowest of each kind of page,
in milliseconds: search, listings and JSON, without the network. The promise: no page of 30 takes longer than 100 ms.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import orjson
from sqlalchemy import insert, text

from corral.api import shapes
from corral.api.shapes import View
from corral.catalogue import facets, search
from corral.catalogue.search import Filters, Sort
from corral.catalogue.vocabulary import LIBRARIES, LICENSES, TASKS
from corral.context import Context
from corral.core.actor import Actor
from corral.core.ids import RepoType, new_object_id
from corral.core.settings import Settings
from corral.storage import schema as t
from corral.storage.blobs import connect
from corral.storage.database import Database
from corral.storage.migrate import upgrade

LANGUAGES = "en zh fr de es ja ko ru pt it ar hi tr nl pl sv vi id uk cs".split()
WORDS = "bert llama qwen mistral gemma vit clip whisper tiny base large instruct chat lora gguf awq v1 v2 it".split()
PROMISE_MS = 100.0


def common(words: list[str]) -> str:
    """One of `words`, the first ones far more often."""
    return words[min(int(random.expovariate(0.35)), len(words) - 1)]


def fill(ctx: Context, models: int) -> None:
    now = ctx.clock()
    owners = max(1, models // 20)
    tasks, libraries, licenses = list(TASKS), ["transformers", *LIBRARIES], list(LICENSES)
    with ctx.db.write() as c:
        for start in range(0, owners, 5000):
            c.execute(insert(t.accounts), [
                {"object_id": new_object_id(), "kind": "user", "name": f"user{i}", "name_lower": f"user{i}",
                 "fullname": "", "is_admin": False, "email_verified": False, "bio": "", "website": "",
                 "default_private": False, "created_at": now}
                for i in range(start, min(start + 5000, owners))
            ])  # fmt: skip
    for start in range(0, models, 5000):
        repos, listings, details, tags = [], [], [], []
        for i in range(start + 1, min(start + 5000, models) + 1):
            owner = min(int(random.paretovariate(0.6)), owners)
            name = f"user{owner - 1}/{random.choice(WORDS)}-{random.choice(WORDS)}-{i}"
            at = now - random.randrange(3 * 365 * 86_400_000)
            repos.append({"id": i, "object_id": new_object_id(), "type": "model", "owner_id": owner, "name": name[6:],
                          "full_name": name, "full_lower": name, "private": random.random() < 0.05, "disabled": False,
                          "created_at": at, "updated_at": at, "used_storage": 0})  # fmt: skip
            task, library, license = common(tasks), common(libraries), common(licenses)
            popularity = int(random.paretovariate(0.7)) - 1
            listings.append({"repo_id": i, "type": "model", "sha": "0" * 40, "pipeline_tag": task, "library": library,
                             "license": license, "parameters": random.choice([None, 10**7, 10**9, 7 * 10**9]),
                             "size": random.randrange(10**10), "likes": min(popularity, 10**6),
                             "downloads": min(popularity * 50, 10**9), "trending": round(random.expovariate(3), 2)
                             if random.random() < 0.1 else 0.0, "summary": "A model."})  # fmt: skip
            mine = {task: "task", library: "library", f"license:{license}": "license", "safetensors": "format",
                    common(LANGUAGES): "language", f"base_model:user{owner - 1}/base": "base_model",
                    f"dataset:data{random.randrange(2000)}": "dataset", f"tag{random.randrange(20_000)}": "other",
                    "region:us": "other"}  # fmt: skip
            tags += [{"tag": tag, "repo_id": i, "type": "model", "kind": kind} for tag, kind in mine.items()]
            card = {"license": license, "pipeline_tag": task, "tags": list(mine)}
            details.append({"repo_id": i, "card": card, "config": None, "safetensors": None, "gguf": None,
                            "tags": list(mine), "files": ["README.md", "config.json", "model.safetensors"],
                            "warnings": []})  # fmt: skip
        with ctx.db.write() as c:
            c.execute(insert(t.repos), repos)
            c.execute(insert(t.listings), listings)
            c.execute(insert(t.listing_details), details)
            c.execute(insert(t.tags), tags)
    if not ctx.db.is_sqlite:
        # PostgreSQL does this by itself after a while; SQLite has no statistics in use
        with ctx.db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
            c.execute(text("ANALYZE"))


def timed(action: Callable[[], object], times: int = 7) -> list[float]:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def pages(ctx: Context) -> dict[str, Callable[[], object]]:
    signed_in = ctx.acting_as(Actor(1, "user0"))

    def listed(sort: Sort = Sort.TRENDING, view: View = View(), to: int = 1, who: Context = ctx, limit: int = 30,
               **filters: object) -> Callable[[], object]:  # fmt: skip
        wanted = Filters(type=RepoType.MODEL, **filters)  # type: ignore[arg-type]

        def run() -> bytes:
            cursor = None
            for _ in range(to):
                found = search.page(who, wanted, sort, limit=limit, cursor=cursor)
                cursor = found.next
            listings = shapes.listing_of(who, [repo.id for repo in found.repos])
            return orjson.dumps(shapes.infos(who, found.repos, listings, view, origin="http://hub"))

        return run

    return {
        **{f"first page by {sort}": listed(sort) for sort in Sort},
        "first page, signed in": listed(who=signed_in),
        "tenth page by downloads": listed(Sort.DOWNLOADS, to=10),
        "1,000 rows, full": listed(limit=1000, view=View(full=True)),
        "a common task": listed(pipeline_tag="text-classification"),
        "a common tag by downloads": listed(Sort.DOWNLOADS, tags=("en",)),
        "three common tags": listed(tags=("en", "license:apache-2.0", "transformers")),
        "a rare tag": listed(tags=("tag77",)),
        "a common and a rare tag": listed(tags=("en", "tag77")),
        "two common tags that never meet": listed(tags=("transformers", "adapter-transformers")),
        "a tag that nobody has": listed(tags=("nothing",)),
        "an owner of few": listed(author="user4000"),
        "the largest owner": listed(author="user0"),
        "search, a common word": listed(search=("bert",)),
        "search, a rare word": listed(search=("-77777",)),
        "search, no match": listed(search=("qqqqqq",)),
        "search and a tag": listed(search=("bert",), tags=("fr",)),
        "6B to 128B parameters": listed(parameters=(6 * 10**9, 128 * 10**9)),
        "gated only (none is)": listed(gated=True),
        "quick search": lambda: [search.page(ctx, Filters(type=kind, search=("bert",)), limit=6) for kind in RepoType],
        "facets of everything": lambda: facets.facets(ctx, Filters(type=RepoType.MODEL)),
        "facets of a rare tag": lambda: facets.facets(ctx, Filters(type=RepoType.MODEL, tags=("tag77",))),
        "facets of a common tag": lambda: facets.facets(ctx, Filters(type=RepoType.MODEL, tags=("en",))),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=100_000)
    parser.add_argument("--database", default="")
    arguments = parser.parse_args()
    random.seed(7)
    with tempfile.TemporaryDirectory() as folder:
        url = arguments.database or f"sqlite:///{folder}/bench.db"
        db = Database(url)
        upgrade(db)
        ctx = Context(Settings(data=Path(folder)), db, connect("memory:"), b"x" * 32)
        began = time.perf_counter()
        fill(ctx, arguments.models)
        print(f"{db.engine.dialect.name}: {arguments.models} models filled in {time.perf_counter() - began:.0f} s")
        first = timed(lambda: facets.public(ctx, RepoType.MODEL), 1)[0]
        print(f"counting all tags once, beside the requests: {first:.0f} ms")
        print(f"{'page':34} {'median':>8} {'slowest':>8}  ms")
        slow = []
        for name, run in pages(ctx).items():
            taken = timed(run)
            print(f"{name:34} {statistics.median(taken):8.1f} {max(taken):8.1f}")
            if statistics.median(taken) > PROMISE_MS and not name.startswith("1,000"):
                slow.append(name)
        db.close()
    print("slower than promised: " + ", ".join(slow) if slow else f"none is slower than {PROMISE_MS:.0f} ms")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
