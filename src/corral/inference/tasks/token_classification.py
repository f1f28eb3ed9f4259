"""Names and other things in a text: a text -> `[{"entity_group", "score", "word", "start", "end"}]`, in its order.

`start` and `end` count characters (code points). With `aggregation_strategy: none` each token is told by itself, with
`entity` instead of `entity_group`. A list of texts gives a list of answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corral.core.errors import BadRequest
from corral.inference.calls import Request
from corral.inference.tasks import base

STRATEGIES = ("none", "simple", "first", "average", "max")


def _request(body: base.Body) -> Request:
    texts, single = base.one_or_many(body.value.get("inputs"))
    values = body.parameters
    # as the Inference API had it, other than transformers
    strategy = base.choice(values, "aggregation_strategy", STRATEGIES) or "simple"
    ignored = values.get("ignore_labels")
    # an empty list asks for everything
    ignored = base.texts(ignored, "'ignore_labels'") if ignored else ignored
    if ignored is not None and not isinstance(ignored, list):
        raise BadRequest("'ignore_labels' must be a list of texts.")
    stride = base.number(values, "stride", 0, 100_000, whole=True)
    if stride and strategy == "none":
        raise BadRequest("'stride' needs an 'aggregation_strategy' other than none.")
    params = {"texts": texts, "single": single, "strategy": strategy, "ignore_labels": ignored, "stride": stride}
    return Request("entities", params)


def _examples(widget: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return base.own_examples(widget, "text") or [
        {"inputs": "My name is Sarah Jessica Parker but you can call me Jessica."},
        {"inputs": "Apple is looking at buying a startup in London for $1 billion, said Tim Cook."},
    ]


TASK = base.Task(
    "token-classification",
    "Token classification",
    (base.Input("inputs", "area", "Text"),),
    "spans",
    _request,
    _examples,
    base.first_of_one,
    (base.Knob("aggregation_strategy", "How tokens are put together", preset="simple", choices=STRATEGIES),),
    client='client.token_classification("My name is Sarah and I live in London")',
)
