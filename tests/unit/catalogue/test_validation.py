from __future__ import annotations

import pytest

from corral.catalogue.validation import validate
from corral.core.ids import RepoType


def errors(front: str, type: RepoType = RepoType.MODEL) -> tuple[str, ...]:
    return validate(f"---\n{front}\n---\n", type).errors


def test_a_good_card_has_nothing_to_find_fault_with() -> None:
    content = "---\nlicense: mit\nlanguage: [en, no, pt-br]\npipeline_tag: text-generation\ntags: [a]\n---\n"
    found = validate(content, RepoType.MODEL)
    assert (found.errors, found.warnings) == ((), ())


def test_an_unknown_licence() -> None:
    (error,) = errors("license: asdf")
    assert error.startswith('"license" must be one of [apache-2.0, mit,')


def test_a_licence_in_a_list_is_named_by_its_place() -> None:
    assert errors("license: [mit, asdf]")[0].startswith('"license[1]" must be one of')


def test_model_index_must_be_a_list() -> None:
    assert errors("model-index: foo") == ('"model-index" must be an array',)


def test_broken_yaml_is_an_error() -> None:
    assert errors("a: 'b")[0].startswith("Invalid YAML front matter.")


@pytest.mark.parametrize("content", ["", "# Only text", "---\n---\n"])
def test_missing_metadata_is_a_warning(content: str) -> None:
    found = validate(content, RepoType.MODEL)
    assert found.errors == ()
    assert found.warnings == ("empty or missing yaml metadata in repo card",)


@pytest.mark.parametrize(
    ("front", "words"),
    [
        ("language: English", "ISO 639"),
        ("tags: [{a: b}]", '"tags[0]" must be a string'),
        ("pipeline_tag: [a]", '"pipeline_tag" must be a string'),
    ],
)
def test_wrong_types_and_codes(front: str, words: str) -> None:
    assert words in errors(front)[0]


def test_a_space_has_a_known_sdk_and_colours() -> None:
    found = errors("sdk: flask\ncolorFrom: beige\npinned: maybe", RepoType.SPACE)
    assert [e.split(" must")[0] for e in found] == ['"sdk"', '"colorFrom"', '"pinned"']


def test_advice_does_not_keep_a_card_out() -> None:
    found = validate("---\ntask_categories: [dreaming]\nsize_categories: many\n---\n", RepoType.DATASET)
    assert found.errors == ()
    assert len(found.warnings) == 2
