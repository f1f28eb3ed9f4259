"""Whose turn it is: callers in rotation, each one's calls in the order they came."""

from __future__ import annotations

from collections import OrderedDict, deque

from corral.inference.calls import Call


class FairQueue:
    """Not safe for threads: its owner holds a lock."""

    def __init__(self) -> None:
        self._callers: OrderedDict[str, deque[Call]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(calls) for calls in self._callers.values())

    def __contains__(self, call: Call) -> bool:
        return call in self._callers.get(call.caller, ())

    def put(self, call: Call) -> None:
        self._callers.setdefault(call.caller, deque()).append(call)

    def take(self) -> Call | None:
        """The next call. Its caller goes to the end of the rotation."""
        if not self._callers:
            return None
        caller, calls = self._callers.popitem(last=False)
        call = calls.popleft()
        if calls:
            self._callers[caller] = calls
        return call

    def of(self, caller: str) -> int:
        """How many calls of one caller wait."""
        return len(self._callers.get(caller, ()))

    def before(self, call: Call) -> int:
        """How many calls come before `call` as things stand; all of them when it does not wait here."""
        mine = self._callers.get(call.caller)
        if mine is None or call not in mine:
            return len(self)
        rounds = mine.index(call)
        callers = list(self._callers)
        turn = callers.index(call.caller)
        # in each round every caller has one turn; in the last one only those ahead of this caller
        return rounds + sum(
            min(len(calls), rounds + (callers.index(name) < turn))
            for name, calls in self._callers.items()
            if name != call.caller
        )

    def remove(self, call: Call) -> bool:
        """Whether it was still waiting."""
        calls = self._callers.get(call.caller)
        if calls is None or call not in calls:
            return False
        calls.remove(call)
        if not calls:
            del self._callers[call.caller]
        return True

    def drain(self) -> list[Call]:
        """All that wait, in turn; none are left."""
        left: list[Call] = []
        while (call := self.take()) is not None:
            left.append(call)
        return left
