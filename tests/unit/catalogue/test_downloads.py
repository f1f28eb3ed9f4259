from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from building.time import Time
from corral.catalogue import downloads, likes, query_files, trending
from corral.catalogue.downloads import DAY_MS
from corral.catalogue.listing import listing_of
from corral.context import Context
from corral.core.ids import RepoType
from corral.repos import lifecycle
from corral.repos.lookup import Repo
from corral.storage import schema as t

Make = Callable[..., Repo]


def numbers(ctx: Context, repo: Repo) -> tuple[int, int]:
    found = listing_of(ctx, [repo.id])[repo.id]
    return found.downloads, found.downloads_all


def ask(ctx: Context, repo: Repo, *paths: str, client: str = "10.0.0.1") -> None:
    for path in paths:
        if downloads.counts(repo.type, path):
            downloads.count(ctx, repo, path, client)


@pytest.mark.parametrize(
    ("library", "path", "counted"),
    [
        (None, "config.json", True),
        (None, "params.json", True),
        (None, "sub/config.json", False),
        (None, "model.safetensors", False),
        ("transformers", "config.json", True),
        ("transformers", "pytorch_model.bin", False),
        ("transformers", "weights/model.Q4.gguf", True),
        ("timm", "model.safetensors", True),
        ("timm", "config.json", False),
        ("peft", "adapter_config.json", True),
        ("diffusers", "model_index.json", True),
        ("diffusers", "lora.safetensors", True),
        ("diffusers", "unet/model.safetensors", False),
        ("spacy", "en-any-py3-none-any.whl", True),
        ("nemo", "a/b.nemo", True),
        ("Keras", "x.keras", True),
        ("hunyuan3d-2", "a/config.yaml", True),
        ("whisperkit", "openai/model.mil", True),
        ("whisperkit", "model.mil", False),
    ],
)
def test_query_files_by_library(library: str | None, path: str, counted: bool) -> None:
    assert query_files.counts(library, path) is counted
    assert not counted or query_files.may_count(path)


def test_every_request_for_a_models_query_file_is_a_download(ann: Context, make: Make) -> None:
    repo = make("m", "library_name: transformers")
    ask(ann, repo, "config.json", "config.json", "README.md", "model.safetensors")
    ask(ann, repo, "config.json", client="10.0.0.2")
    assert downloads.flush(ann) == 3
    assert numbers(ann, repo) == (3, 3)
    assert downloads.flush(ann) == 0


def test_a_data_sets_files_within_five_minutes_by_one_address_are_one_download(
    ann: Context, make: Make, time: Time
) -> None:
    repo = make("d", "license: mit", type=RepoType.DATASET)
    ask(ann, repo, *(f"data/{i}.parquet" for i in range(100)))
    ask(ann, repo, "README.md", client="10.0.0.2")
    assert downloads.flush(ann) == 2
    time.forward(240)
    ask(ann, repo, "data/1.parquet")
    assert downloads.flush(ann) == 0
    time.forward(90)
    ask(ann, repo, "data/1.parquet")
    assert downloads.flush(ann) == 1
    assert numbers(ann, repo) == (3, 3)


def test_a_space_is_not_counted(make: Make) -> None:
    assert not downloads.counts(RepoType.SPACE, "config.json")


def test_the_window_moves_on_and_all_time_stays(ann: Context, make: Make, time: Time) -> None:
    repo = make("m", "license: mit")
    ask(ann, repo, "config.json")
    downloads.flush(ann)
    time.forward(20 * DAY_MS / 1000)
    ask(ann, repo, "config.json")
    downloads.flush(ann)
    downloads.roll_up(ann)
    assert numbers(ann, repo) == (2, 2)
    time.forward(15 * DAY_MS / 1000)
    downloads.roll_up(ann)
    assert numbers(ann, repo) == (1, 2)
    time.forward(20 * DAY_MS / 1000)
    downloads.roll_up(ann)
    assert numbers(ann, repo) == (0, 2)


def test_requests_for_a_repository_that_is_gone_are_dropped(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    ask(ann, repo, "config.json")
    lifecycle.remove(ann, repo)
    assert downloads.flush(ann) == 0


def test_nothing_is_lost_between_many_threads(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    threads = [threading.Thread(target=lambda: [ask(ann, repo, "config.json") for _ in range(500)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    written = 0
    while any(thread.is_alive() for thread in threads):
        written += downloads.flush(ann)
    for thread in threads:
        thread.join()
    assert written + downloads.flush(ann) == 2000
    assert numbers(ann, repo) == (2000, 2000)


def test_addresses_are_not_in_the_log(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    ask(ann, repo, "config.json", client="192.168.17.4")
    downloads.flush(ann)
    with ann.db.read() as c:
        (client,) = c.scalars(select(t.downloads.c.client)).all()
    assert len(client) == 16
    assert "192" not in client


def test_the_counter_writes_what_is_left_when_it_ends(ann: Context, make: Make) -> None:
    repo = make("m", "license: mit")
    counter = downloads.Counter(ann)
    counter.start()
    ask(ann, repo, "config.json")
    counter.close()
    assert numbers(ann, repo) == (1, 1)


def trend(ctx: Context, repo: Repo) -> float:
    return listing_of(ctx, [repo.id])[repo.id].trending


def test_one_address_cannot_make_a_repository_trend(ann: Context, bob: Context, make: Make) -> None:
    cloned, liked = make("cloned", "license: mit"), make("liked", "license: mit")
    ask(ann, cloned, *["config.json"] * 1000)
    likes.like(ann, liked)
    likes.like(bob, liked)
    downloads.flush(ann)
    trending.recompute(ann)
    assert 0 < trend(ann, cloned) < trend(ann, liked)


def test_many_addresses_do(ann: Context, make: Make) -> None:
    one, many = make("one", "license: mit"), make("many", "license: mit")
    ask(ann, one, "config.json")
    for number in range(50):
        ask(ann, many, "config.json", client=f"10.0.0.{number}")
    downloads.flush(ann)
    trending.recompute(ann)
    assert trend(ann, many) > 3 * trend(ann, one)


def test_scores_decay(ann: Context, make: Make, time: Time) -> None:
    repo = make("m", "license: mit")
    likes.like(ann, repo)
    trending.recompute(ann)
    assert trend(ann, repo) == 1.0
    time.forward(7 * DAY_MS / 1000)
    trending.recompute(ann)
    assert trend(ann, repo) == 0.5
    time.forward(100 * DAY_MS / 1000)
    assert trending.recompute(ann) == 1
    assert trend(ann, repo) == 0.0
    assert trending.recompute(ann) == 0
