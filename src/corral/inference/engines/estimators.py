"""What is within a scikit-learn model from a file is looked through before it is used.

scikit-learn follows the numbers in the nodes of a decision tree without a look at whether there is such a node or such
a column: a file made for it could have it read whatever lies in memory. For that reason skops trusts these two types
only where the caller does; once looked through they are as good as the others. And what reads texts may be set to read
files by their names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from corral.inference.engines.base import Refused

#: types that skops does not trust by itself, and that `check` looks through
CHECKED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)


def check(model: Any) -> None:
    """Raises Refused (501) where a tree leads to a node or column that is not, or where files would be read."""
    looks = {"Tree": _tree, "TreePredictor": _predictor}
    for part, columns in _parts(model, None, set()):
        kind = type(part).__name__
        if getattr(part, "input", None) in ("filename", "file"):
            raise Refused(f"This model's {kind} reads files by their names, which Corral does not let it do.", 501)
        look = _boosted if kind.startswith("GradientBoosting") else looks.get(kind)
        if look is not None and not look(part, columns):
            raise Refused("A decision tree of this model leads to what is not there: the file is damaged.", 501)


def _tree(tree: Any, columns: int | None) -> bool:
    if tree.node_count != tree.capacity or tree.n_features != columns:
        return False
    nodes = tree.__getstate__()["nodes"]
    children = nodes["left_child"], nodes["right_child"]
    return _leads_on(*children, nodes["feature"], nodes["left_child"] == -1, tree.n_features)


def _predictor(tree: Any, columns: int | None) -> bool:
    nodes = tree.nodes
    leaf = nodes["is_leaf"] != 0
    sets = nodes["bitset_idx"][~leaf & (nodes["is_categorical"] != 0)]
    if columns is None or not bool((sets < len(tree.raw_left_cat_bitsets)).all()):
        return False
    return _leads_on(nodes["left"], nodes["right"], nodes["feature_idx"], leaf, columns)


def _boosted(model: Any, _: int | None) -> bool:
    """Its trees are not asked one by one, but walked together over the model's own columns."""
    trees = model.estimators_
    same = all(getattr(tree, "n_features_in_", None) == model.n_features_in_ for tree in trees.ravel())
    return same and trees.ndim == 2 and trees.shape[1] == model.n_trees_per_iteration_


def _leads_on(left: Any, right: Any, column: Any, leaf: Any, columns: int) -> bool:
    """Whether each node that is no leaf has children further on (so that there is an end) and a column to look at."""
    here = np.arange(len(leaf))
    inner = ~np.asarray(leaf)
    children = all(bool(((side > here) & (side < len(leaf)))[inner].all()) for side in (left, right))
    return len(leaf) > 0 and children and bool(((column >= 0) & (column < columns))[inner].all())


def _parts(value: Any, columns: int | None, seen: set[int]) -> Iterator[tuple[Any, int | None]]:
    """Everything within `value`, with the number of columns of the estimator that it is of."""
    if id(value) in seen or isinstance(value, (str, bytes, int, float, type(None))):
        return
    seen.add(id(value))
    yield value, columns
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple, set)) or (isinstance(value, np.ndarray) and value.dtype == object):
        inner = value.ravel() if isinstance(value, np.ndarray) else value
    elif hasattr(value, "__dict__"):
        inner, columns = vars(value).values(), getattr(value, "n_features_in_", columns)
    for one in inner:
        yield from _parts(one, columns, seen)
