"""Calls, their queue, and the frames that carry them."""

from __future__ import annotations

import socket
import struct
import threading

import pytest

from corral.core.errors import HubError
from corral.inference.calls import Call, Event, Failure, Request, Result, Token
from corral.inference.frames import Wire
from corral.inference.queueing import FairQueue


def call(caller: str = "a") -> Call:
    return Call(Request("op"), caller)


def test_callers_take_turns_however_many_calls_one_has() -> None:
    queue = FairQueue()
    first, second, third = call("a"), call("a"), call("a")
    other = call("b")
    for each in (first, second, third, other):
        queue.put(each)
    assert [queue.take() for _ in range(5)] == [first, other, second, third, None]


def test_a_call_that_leaves_is_not_taken() -> None:
    queue = FairQueue()
    first, second = call(), call()
    queue.put(first)
    queue.put(second)
    assert queue.remove(first)
    assert not queue.remove(first)
    assert len(queue) == 1
    assert queue.drain() == [second]
    assert len(queue) == 0


def test_events_that_came_before_the_listener_reach_it_in_order() -> None:
    made, heard = call(), []  # type: tuple[Call, list[Event]]
    events: list[Event] = [Token({"text": "a"}), Token({"text": "b"}), Result("ab")]
    made.push(events[0])
    made.listen(heard.append)
    made.push(events[1])
    made.push(events[2])
    made.push(Token({"text": "late"}))
    assert heard == events
    assert made.result(0) == "ab"


def test_a_failure_is_raised_to_whoever_waits() -> None:
    made = call()
    threading.Timer(0.05, made.push, [Failure(HubError("no", status=500))]).start()
    with pytest.raises(HubError, match="no"):
        made.result(5)


def test_waiting_ends_in_time() -> None:
    with pytest.raises(TimeoutError):
        call().result(0.01)


def test_cancelling_a_finished_call_asks_nobody() -> None:
    made, asked = call(), []  # type: tuple[Call, list[bool]]
    made.on_cancel(lambda: asked.append(True))
    made.push(Result(1))
    made.cancel()
    assert asked == []


def test_frames_arrive_whole_from_several_threads() -> None:
    left, right = socket.socketpair()
    here, there = Wire(left), Wire(right)
    data = bytes(range(256)) * 1000
    threads = [threading.Thread(target=here.send, args=({"n": n}, data)) for n in range(20)]
    for thread in threads:
        thread.start()
    arrived = [there.receive() for _ in threads]
    assert {message["n"] for message, _ in arrived} == set(range(20))
    assert all(body == data for _, body in arrived)
    here.close()
    with pytest.raises(EOFError):
        there.receive()


@pytest.mark.parametrize(
    "raw",
    [
        struct.pack("!II", 2**31, 0),
        struct.pack("!II", 2, 2**31) + b"{}",
        struct.pack("!II", 2, 0) + b"[]",
        struct.pack("!II", 3, 0) + b"{,}",
    ],
)
def test_a_frame_that_cannot_be_is_refused_before_anything_is_allocated(raw: bytes) -> None:
    left, right = socket.socketpair()
    left.sendall(raw)
    left.close()
    with pytest.raises(ValueError):
        Wire(right).receive()


def test_a_frame_cut_off_is_the_end() -> None:
    left, right = socket.socketpair()
    left.sendall(struct.pack("!II", 10, 0) + b"{")
    left.close()
    with pytest.raises(EOFError):
        Wire(right).receive()
