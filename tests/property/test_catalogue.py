"""Whatever a repository holds, the catalogue takes it in: nothing raises, and what comes out can be stored."""

from __future__ import annotations

import io
import json
from typing import BinaryIO

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.catalogue import cards, search, tags, trending, validation, weights
from corral.catalogue.cards import Card
from corral.catalogue.search import Sort
from corral.catalogue.tags import Read
from corral.core.errors import BadRequest
from corral.core.ids import RepoType

#: texts in which YAML's own signs are frequent
yaml_like = st.text(st.sampled_from(list("ab:-[]{}&*!|>'\"\n \t#%,?~01.\0\ud800é\u2028")), max_size=200)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)

CARD_KEYS = (
    "license", "language", "tags", "datasets", "base_model", "base_model_relation", "library_name", "pipeline_tag",
    "dataset_info", "task_categories", "size_categories", "model-index", "models", "sdk",
)  # fmt: skip


@given(st.binary(max_size=300) | yaml_like.map(lambda text: f"---\n{text}\n---\n".encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_card_that_can_be_stored(data: bytes) -> None:
    card = cards.parse(data)
    assert isinstance(card.meta, dict)
    stored = orjson.dumps(card.meta)
    assert json.loads(stored) == card.meta
    assert b"\\u0000" not in stored
    assert "\0" not in card.text
    assert len(cards.summary(card.text)) <= 300


@given(yaml_like, st.sampled_from(list(RepoType)))
def test_any_text_can_be_validated(text: str, type: RepoType) -> None:
    found = validation.validate(f"---\n{text}\n---\n", type)
    assert all(isinstance(message, str) for message in (*found.errors, *found.warnings))


@given(
    st.dictionaries(st.sampled_from(CARD_KEYS), json_values, max_size=8),
    st.lists(st.text(max_size=30), max_size=5),
    st.none() | st.dictionaries(st.sampled_from(["model_type", "auto_map", "quantization_config"]), json_values),
    st.sampled_from(list(RepoType)),
)
def test_any_card_and_config_give_tags_that_can_be_stored(
    meta: dict[str, object], files: list[str], config: dict[str, object] | None, type: RepoType
) -> None:
    card = Card(meta)
    library = tags.library_of(card, files, config)
    read = Read(
        type=type,
        card=card,
        files=files,
        config=config,
        library=library,
        pipeline_tag=tags.task_of(card),
        rows=tags.rows_of(card),
        sdk=card.string("sdk"),
    )
    found = tags.tags_of(read)
    assert all(tag and tag.isprintable() and len(tag) <= tags.MOST_LENGTH for tag in found.kinds)
    assert set(found.shown) <= found.kinds.keys()
    assert len(library or "") <= 64
    tags.license_of(card)


def opener(data: bytes) -> weights.Open:
    def open(start: int, length: int) -> BinaryIO:
        return io.BytesIO(data[start : start + length])

    return open


@given(st.binary(max_size=200), json_values)
def test_any_bytes_are_weights_or_none(data: bytes, header: object) -> None:
    weights.safetensors(opener(data))
    weights.gguf(opener(b"GGUF\x03\0\0\0" + data), len(data) + 8)
    text = json.dumps({"w": header}).encode()
    counts = weights.safetensors(opener(len(text).to_bytes(8, "little") + text))
    assert all(0 < count < 2**63 for count in (counts or {}).values())


@given(st.text(max_size=60), st.sampled_from(list(Sort)))
def test_a_cursor_is_its_own_or_refused(text: str, sort: Sort) -> None:
    try:
        key, number = search._decode(text, sort)
    except BadRequest:
        return
    assert search._decode(search._encode(sort, key, number), sort) == (key, number)


@given(st.sampled_from(list(Sort)), st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 2**62))
def test_a_cursor_leads_back_exactly(sort: Sort, key: float, number: int) -> None:
    assert search._decode(search._encode(sort, key, number), sort) == (key, number)


@given(st.text(max_size=30))
def test_any_range_is_read_or_refused(text: str) -> None:
    try:
        least, most = search.parse_range(text)
    except BadRequest:
        return
    assert all(bound is None or 0 <= bound <= 2**62 for bound in (least, most))


@pytest.mark.parametrize("days", [0, 1, 7, 30])
@given(likes=st.floats(0, 1e6), clients=st.floats(0, 1e9))
def test_the_trending_score_grows_with_likes_and_slowly_with_clients(days: int, likes: float, clients: float) -> None:
    fade = trending.decay(days * 86_400_000)
    assert 0 < fade <= 1
    score = trending.score(likes * fade, clients * fade)
    assert trending.score(likes * fade + 1, clients * fade) > score
    assert score <= trending.score(likes * fade, clients * fade * 10) <= score + 4.61 + 0.01
