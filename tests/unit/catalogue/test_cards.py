from __future__ import annotations

import json
import time

import orjson
import pytest

from corral.catalogue import cards, yaml
from corral.catalogue.cards import EMPTY_WARNING, Card, parse
from corral.core.errors import BadRequest


def card_of(front: str) -> Card:
    return parse(f"---\n{front}\n---\nText below.\n")


def test_front_matter_and_text_are_told_apart() -> None:
    card = parse(b"---\nlicense: mit\ntags: [a, b]\n---\n# Title\n")
    assert card.meta == {"license": "mit", "tags": ["a", "b"]}
    assert card.text == "# Title\n"
    assert card.warnings == ()


def test_byte_order_mark_and_windows_line_ends() -> None:
    card = parse(b"\xef\xbb\xbf---\r\nlicense: mit\r\n---\r\nText\r\n")
    assert card.meta == {"license": "mit"}
    assert card.text == "Text\r\n"


def test_bytes_that_are_no_utf8_become_marks_and_a_warning() -> None:
    card = parse(b"---\nlicense: mit\nname: caf\xe9\n---\nna\xefve\n")
    assert card.meta == {"license": "mit", "name": "caf\ufffd"}
    assert "not UTF-8" in card.warnings[0]


@pytest.mark.parametrize(
    "content", ["", "no front matter", "---\nlicense: mit\nnever closed", "---\n---\ntext", "----\n"]
)
def test_missing_front_matter_is_an_empty_card_with_a_warning(content: str) -> None:
    card = parse(content)
    assert card.meta == {}
    assert EMPTY_WARNING in card.warnings
    assert card.error is None


@pytest.mark.parametrize(
    "front",
    [
        "license: 'mit",
        "tags:\n\t- tab",
        "- a\n- list",
        "just text",
        "a: *nowhere",
        "a: &a [*a]",
        "? [a list]\n: as key",
        "a: b: c",
        "x: \x01",
        "%BAD directive",
        '"\\xzz": 1',
        "[" * 200_000,
        "{a: " * 500,
        "a: 1\n" * 300_000,
    ],
)
def test_broken_front_matter_never_raises(front: str) -> None:
    card = card_of(front)
    assert card.meta == {}
    assert card.error
    assert card.error in card.warnings[-1]


def test_schema_is_that_of_yaml_1_2() -> None:
    meta = card_of(
        "language: no\nyes: on\nflag: true\nnothing: ~\nwhole: 0o17\nhex: 0x1F\nreal: 1e3\ndate: 2024-02-30\ntime: 1:30"
    ).meta
    assert meta == {
        "language": "no",
        "yes": "on",
        "flag": True,
        "nothing": None,
        "whole": 15,
        "hex": 31,
        "real": 1000.0,
        "date": "2024-02-30",
        "time": "1:30",
    }


def test_what_json_cannot_say_is_kept_as_text() -> None:
    meta = card_of(f"big: {2**64}\nnan: .nan\ninf: -.inf\nhuge: {'9' * 100_000}\nfloat: 1e999").meta
    assert meta["big"] == str(2**64)
    assert meta["nan"] == ".nan"
    assert meta["inf"] == "-.inf"
    assert len(meta["huge"]) == 100_000
    assert meta["float"] == "1e999"
    assert json.loads(orjson.dumps(meta)) == meta


def test_zero_bytes_and_keys_that_are_no_text() -> None:
    meta = card_of('"a\\0b": "x\\0y"\n1: one\ntrue: yes\nnull: none').meta
    assert meta == {"ab": "xy", "1": "one", "True": "yes", "null": "none"}


def test_tags_of_yaml_construct_nothing() -> None:
    meta = card_of("a: !!python/object/apply:os.system [echo]\nb: !!timestamp 2020-01-01\nc: !!binary aGk=").meta
    assert meta == {"a": ["echo"], "b": "2020-01-01", "c": "aGk="}


def test_merge_keys_are_plain_keys() -> None:
    assert card_of("base: &b {x: 1}\nmore:\n  <<: *b").meta == {"base": {"x": 1}, "more": {"<<": {"x": 1}}}


def test_a_billion_laughs_are_refused_at_once() -> None:
    lines = ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]" for i in range(12)]
    began = time.monotonic()
    card = card_of("\n".join(lines))
    assert time.monotonic() - began < 1
    assert card.meta == {}
    assert "too many entries" in (card.error or "")


def test_one_long_text_repeated_by_aliases_is_refused() -> None:
    card = card_of("a: &a " + "y" * 500_000 + "\n" + "\n".join(f"k{i}: *a" for i in range(1000)))
    assert "too many entries" in (card.error or "")


def test_few_aliases_are_fine() -> None:
    assert card_of("a: &a [x, y]\nb: *a").meta == {"a": ["x", "y"], "b": ["x", "y"]}


def test_a_repeated_key_counts_by_its_last_value_and_warns() -> None:
    card = card_of("license: mit\nlicense: apache-2.0")
    assert card.meta == {"license": "apache-2.0"}
    assert card.warnings == ('"license" stands more than once: the last one counts.',)


def test_front_matter_above_the_limit_is_not_read() -> None:
    card = card_of("a: " + "x" * (yaml.MOST_TEXT + 1))
    assert card.meta == {}
    assert str(yaml.MOST_TEXT) in (card.error or "")


@pytest.mark.parametrize(
    ("value", "texts"),
    [("mit", ["mit"]), (["a", " b ", "a", None, {"x": 1}, 3], ["a", "b", "3"]), (None, []), ({"a": 1}, []), (True, [])],
)
def test_strings_of_anything(value: object, texts: list[str]) -> None:
    assert cards.strings({"key": value}, "key") == texts


def test_summary_is_the_first_prose() -> None:
    text = (
        "# Title\n\n![badge](x.png) [![b](y)](z)\n\n<div>html</div>\n\n- a list\n- of things\n\n| a | b |\n\n"
        "```python\ncode that is long enough to be prose\n```\n\n"
        "A **small** model that [turns](https://example.org) sentences into vectors.\n\nMore.\n"
    )
    assert cards.summary(text) == "A small model that turns sentences into vectors."


def test_summary_is_cut_at_a_word() -> None:
    summary = cards.summary("word " * 200)
    assert len(summary) <= 300
    assert summary.endswith("word…")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("---\nlicense: mit  # ours\n---\n# A\n", "---\nlicense: mit  # ours\npipeline_tag: fill-mask\n---\n# A\n"),
        ("---\npipeline_tag: old # why\ntags: [a]\n---\n", "---\npipeline_tag: fill-mask\ntags: [a]\n---\n"),
        ("---\r\na: 1\r\n---\r\nText\r\n", "---\r\na: 1\r\npipeline_tag: fill-mask\r\n---\r\nText\r\n"),
        ("---\n---\n", "---\npipeline_tag: fill-mask\n---\n"),
        ("# No card\n\npipeline_tag: x\n", "---\npipeline_tag: fill-mask\n---\n# No card\n\npipeline_tag: x\n"),
        ("", "---\npipeline_tag: fill-mask\n---\n"),
        ("---\na:\n  pipeline_tag: inner\n---\n", "---\na:\n  pipeline_tag: inner\npipeline_tag: fill-mask\n---\n"),
    ],
)
def test_one_member_is_set_and_all_else_stays(before: str, after: str) -> None:
    assert cards.with_member(before, "pipeline_tag", "fill-mask") == after


@pytest.mark.parametrize(
    "content", ["---\na: [\n---\n", "---\npipeline_tag:\n- a\n- b\n---\n", "---\npipeline_tag: >\n  a\n---\n"]
)
def test_a_member_that_cannot_be_set_safely_is_not(content: str) -> None:
    with pytest.raises(BadRequest):
        cards.with_member(content, "pipeline_tag", "fill-mask")
