from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from corral.catalogue.facets import Facets
from corral.core.errors import BadRequest
from corral.core.ids import RepoType
from corral.web import filters

MODEL, DATASET = RepoType.MODEL, RepoType.DATASET


def test_addresses_of_the_real_hub_are_understood() -> None:
    query = QueryParams(
        "pipeline_tag=text-generation&library=gguf&language=de&license=license:mit&num_parameters=min:1B,max:9B"
        "&search=tiny+horse&other=conversational"
    )
    found = filters.filters_of(MODEL, query)
    assert found.tags == ("text-generation", "gguf", "de", "license:mit", "conversational")
    assert found.parameters == (10**9, 9 * 10**9)
    assert found.search == ("tiny", "horse")
    query = QueryParams("task_categories=task_categories:translation&language=language:en&size_categories=n<1K")
    assert filters.filters_of(DATASET, query).tags == (
        "task_categories:translation",
        "size_categories:n<1K",
        "language:en",
    )


def test_a_wrong_range_is_refused_with_a_sentence() -> None:
    with pytest.raises(BadRequest, match="range"):
        filters.filters_of(MODEL, QueryParams("num_parameters=lots"))


def test_a_chip_puts_its_filter_on_and_takes_it_off() -> None:
    facets = Facets({"license": [("license:mit", 3), ("license:apache-2.0", 2)]}, 5, False, True)
    query = QueryParams("license=mit&sort=likes&cursor=abc")
    (group,) = [g for g in filters.groups(MODEL, query, facets) if g.title == "Licences"]
    mit, apache = group.chips
    assert (mit.label, mit.on, mit.count, mit.url) == ("mit", True, 3, "/models?sort=likes")
    assert apache.url == "/models?sort=likes&license=mit&license=apache-2.0"


def test_one_task_at_a_time() -> None:
    facets = Facets({"task": [("text-generation", 3), ("fill-mask", 1)]}, 4, False, True)
    groups = filters.groups(MODEL, QueryParams("pipeline_tag=fill-mask"), facets)
    chosen, other = groups[0].chips
    assert (chosen.label, chosen.on, chosen.url) == ("Fill-Mask", True, "/models")
    assert (other.label, other.url) == ("Text Generation", "/models?pipeline_tag=text-generation")
