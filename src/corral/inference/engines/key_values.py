"""What a transformer keeps of the texts that it reads on, for several texts side by side.

transformers' own cache is made anew with each token; here each token is written into room that is there already, and
texts come and go. All texts end in the same column: shorter ones begin further to the right, after columns that the
attention mask hides, as transformers itself pads on the left.
"""

from __future__ import annotations

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

#: columns that are made at a time
_ROOM = 256


class Layer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, of shape (texts, heads, columns, width). Columns from `start` to `end` are used."""

    def __init__(self) -> None:
        super().__init__()
        self.start = self.end = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        more = key_states.shape[2]
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
        if self.end + more > self.keys.shape[2]:
            self.place(len(key_states), 0, more + _ROOM)
        self.keys[:, :, self.end : self.end + more] = key_states
        self.values[:, :, self.end : self.end + more] = value_states
        self.end += more
        return self.keys[:, :, self.start : self.end], self.values[:, :, self.start : self.end]

    def get_seq_length(self) -> int:
        return self.end - self.start

    def place(self, rows: int, before: int, after: int, kept: list[int] | None = None) -> None:
        """Into new room for `rows` texts, with unused columns `before` and `after`; of the texts only those `kept`."""
        used = slice(self.start, self.end)
        length = self.end - self.start
        for name in ("keys", "values"):
            old = getattr(self, name)[:, :, used]
            old = old if kept is None else old[kept]
            new = old.new_zeros((rows, old.shape[1], before + length + after, old.shape[3]))
            new[: len(old), :, before : before + length] = old
            setattr(self, name, new)
        self.start, self.end = before, before + length


class KeyValues(DynamicCache):  # type: ignore[misc]
    """The cache that a model is given. It begins with one text; others `join`, or are not kept."""

    def __init__(self) -> None:
        super().__init__()
        # layers are made when the model first comes to them
        self.layer_class_to_replicate = Layer

    def join(self, other: KeyValues) -> None:
        """Add the one text of `other`. The longer of both gives the number of columns."""
        for mine, its in zip(self.layers, other.layers, strict=True):
            length = its.get_seq_length()
            row = len(mine.keys)
            mine.place(row + 1, max(0, length - mine.get_seq_length()), _ROOM)
            mine.start = 0
            new, old = slice(mine.end - length, mine.end), slice(its.start, its.end)
            mine.keys[row, :, new] = its.keys[0, :, old]
            mine.values[row, :, new] = its.values[0, :, old]

    def keep(self, rows: list[int], length: int) -> None:
        """Only the texts `rows`, of which the longest has `length` columns."""
        for layer in self.layers:
            layer.start = layer.end - length
            layer.place(len(rows), 0, _ROOM, rows)
