"""Which command may be on its way while another one is: all combinations, without I/O."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.wire.pipeline import Pipeline, Pipelining, Ticket
from netclients.wire.replies import Reply

FREE, LAST, BARRIER = Pipelining.FREE, Pipelining.LAST, Pipelining.BARRIER


def pipeline_of(*kinds: Pipelining) -> tuple[Pipeline[int, Reply], list[Ticket[int, Reply]]]:
    pipeline: Pipeline[int, Reply] = Pipeline()
    tickets = [Ticket(number, kind) for number, kind in enumerate(kinds)]
    for ticket in tickets:
        pipeline.submit(ticket)
    return pipeline, tickets


def flights(*kinds: Pipelining) -> list[int]:
    """How many commands go out together, each flight answered whole before the next."""
    pipeline, _ = pipeline_of(*kinds)
    sizes = []
    while flight := list(pipeline.release()):
        sizes.append(len(flight))
        for ticket in flight:
            assert pipeline.current is ticket
            pipeline.complete(ticket)
    assert pipeline.current is None
    assert len(pipeline) == 0
    return sizes


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([], []),
        ([FREE], [1]),
        ([LAST], [1]),
        ([BARRIER], [1]),
        ([FREE, FREE], [2]),
        ([FREE, LAST], [2]),
        ([FREE, BARRIER], [1, 1]),
        ([LAST, FREE], [1, 1]),
        ([LAST, LAST], [1, 1]),
        ([LAST, BARRIER], [1, 1]),
        ([BARRIER, FREE], [1, 1]),
        ([BARRIER, LAST], [1, 1]),
        ([BARRIER, BARRIER], [1, 1]),
        ([FREE, FREE, LAST, FREE, FREE, BARRIER, FREE], [3, 2, 1, 1]),
    ],
)
def test_flights(kinds: list[Pipelining], expected: list[int]) -> None:
    assert flights(*kinds) == expected


@pytest.mark.parametrize("kinds", list(itertools.product(Pipelining, repeat=4)))
def test_all_combinations_of_four(kinds: tuple[Pipelining, ...]) -> None:
    sizes = flights(*kinds)
    assert sum(sizes) == 4
    end = 0
    for size in sizes:
        flight = kinds[end : end + size]
        end += size
        assert all(kind is FREE for kind in flight[:-1])
        assert BARRIER not in flight or size == 1
        if end < len(kinds):
            # No earlier than allowed, and no later.
            assert flight[-1] is not FREE or kinds[end] is BARRIER


def test_tickets_start_empty() -> None:
    pipeline, [ticket] = pipeline_of(FREE)
    assert (ticket.sent, ticket.started, ticket.reply, ticket.preliminary) == (False, False, None, None)
    assert pipeline.current is None
    assert list(pipeline.release()) == [ticket]
    assert list(pipeline.release()) == []
    assert ticket.sent
    ticket.preliminary = Reply(150, ("",))
    assert ticket.started
    ticket.preliminary, ticket.reply = None, Reply(226, ("",))
    assert ticket.started


def test_a_reply_in_the_middle_of_a_flight_releases_what_it_may() -> None:
    pipeline, tickets = pipeline_of(FREE, FREE, BARRIER)
    assert list(pipeline.release()) == tickets[:2]
    pipeline.complete(tickets[0])
    assert list(pipeline.release()) == []
    late = Ticket(9, FREE)
    pipeline.submit(late)  # nobody overtakes
    assert list(pipeline.release()) == []
    pipeline.complete(tickets[1])
    assert list(pipeline.release()) == [tickets[2]]
    pipeline.complete(tickets[2])
    assert list(pipeline.release()) == [late]


@given(st.lists(st.one_of(st.sampled_from(list(Pipelining)), st.sampled_from(["release", "reply"])), max_size=60))
def test_the_rules_hold_in_any_order_of_events(actions: list[Pipelining | str]) -> None:
    pipeline: Pipeline[int, Reply] = Pipeline()
    waiting: list[Ticket[int, Reply]] = []
    under_way: list[Ticket[int, Reply]] = []
    for number, action in enumerate(actions):
        if isinstance(action, Pipelining):
            ticket = Ticket(number, action)
            pipeline.submit(ticket)
            waiting.append(ticket)
        elif action == "reply":
            if under_way:
                assert pipeline.current is under_way[0]
                pipeline.complete(under_way.pop(0))
        else:
            for ticket in pipeline.release():
                assert ticket is waiting.pop(0)
                assert all(other.pipelining is FREE for other in under_way)
                assert ticket.pipelining is not BARRIER or not under_way
                assert ticket.sent
                under_way.append(ticket)
            if waiting and not under_way:
                pytest.fail("a command waits for nothing")
        assert len(pipeline) == len(waiting) + len(under_way)
        assert pipeline.current is (under_way[0] if under_way else None)


def test_replies_out_of_order() -> None:
    pipeline, tickets = pipeline_of(FREE, FREE, FREE)
    assert list(pipeline.release()) == tickets
    pipeline.complete(tickets[1])
    assert list(pipeline.awaiting) == [tickets[0], tickets[2]]
    pipeline.complete(tickets[0])
    assert pipeline.current is pipeline.newest is tickets[2]


def test_a_protocol_knows_which_commands_bear_each_other() -> None:
    pipeline: Pipeline[int, Reply] = Pipeline(bears=lambda awaited, command: awaited % 2 == command % 2)
    tickets = [Ticket[int, Reply](number, FREE) for number in (1, 3, 2)]
    for ticket in tickets:
        pipeline.submit(ticket)
    assert list(pipeline.release()) == tickets[:2]
    pipeline.complete(tickets[0])
    assert list(pipeline.release()) == []
    pipeline.complete(tickets[1])
    assert list(pipeline.release()) == [tickets[2]]


def test_nothing_goes_behind_a_command_that_is_left_open() -> None:
    pipeline, tickets = pipeline_of(FREE, FREE)
    released = []
    for ticket in pipeline.release():
        ticket.open = True
        released.append(ticket)
    assert released == tickets[:1]
    tickets[0].open = False
    assert list(pipeline.release()) == tickets[1:]


def test_no_more_than_the_most_wait_for_replies() -> None:
    pipeline: Pipeline[int, Reply] = Pipeline(most=2)
    tickets = [Ticket[int, Reply](number, FREE) for number in range(3)]
    for ticket in tickets:
        pipeline.submit(ticket)
    assert list(pipeline.release()) == tickets[:2]
    pipeline.complete(tickets[1])
    assert list(pipeline.release()) == tickets[2:]
