"""``Stream``: however it is left, its producer lets go once, and at once."""

from __future__ import annotations

import ast
import gc
import types
from pathlib import Path

import anyio
import pytest

import netclients
from netclients.streams import Producer, Stream

pytestmark = pytest.mark.anyio


class Numbers(Producer[int]):
    def __init__(self, count: int, error: BaseException | None = None) -> None:
        self.left = count
        self.error = error
        self.log: list[str] = []

    async def start(self) -> None:
        self.log.append("start")

    async def next(self) -> int:
        await anyio.lowlevel.checkpoint()
        if not self.left:
            if self.error is not None:
                raise self.error
            raise StopAsyncIteration
        self.left -= 1
        return self.left

    async def aclose(self) -> None:
        self.log.append("aclose")

    def abort(self) -> None:
        self.log.append("abort")


async def test_to_the_end() -> None:
    numbers = Numbers(3)
    stream = Stream(numbers)
    assert [one async for one in stream] == [2, 1, 0]
    assert [one async for one in stream] == []
    del stream
    gc.collect()
    assert numbers.log == []  # the producer has let go by itself


async def test_the_documented_form() -> None:
    numbers = Numbers(3)
    async with Stream(numbers) as stream:
        assert [one async for one in stream] == [2, 1, 0]
    assert numbers.log == ["start", "aclose"]


async def test_left_early_inside_async_with() -> None:
    numbers = Numbers(3)
    async with Stream(numbers) as stream:
        async for _ in stream:
            break
        assert numbers.log == ["start"]
    assert numbers.log == ["start", "aclose"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await stream.aclose()  # may be said again
    del stream
    gc.collect()
    assert numbers.log == ["start", "aclose", "aclose"]


async def test_broken_off_without_async_with() -> None:
    numbers = Numbers(3)
    async for _ in Stream(numbers):
        break
    gc.collect()
    assert numbers.log == ["abort"]


async def test_dropped_unused() -> None:
    numbers = Numbers(3)
    stream = Stream(numbers)
    del stream
    gc.collect()
    assert numbers.log == ["abort"]


async def test_an_exception_of_the_producer() -> None:
    numbers = Numbers(1, ZeroDivisionError())
    stream = Stream(numbers)
    assert await anext(stream) == 0
    with pytest.raises(ZeroDivisionError):
        await anext(stream)
    assert numbers.log == ["abort"]
    with pytest.raises(StopAsyncIteration):
        await anext(stream)
    await stream.aclose()
    assert numbers.log == ["abort", "aclose"]


async def test_an_exception_of_the_consumer() -> None:
    numbers = Numbers(3)
    with pytest.raises(KeyError):
        async with Stream(numbers) as stream:
            raise KeyError
    del stream
    assert numbers.log == ["start", "aclose"]


async def test_two_consumers_that_fail_abort_once() -> None:
    numbers = Numbers(0, ZeroDivisionError())
    stream = Stream(numbers)
    failures = []

    async def consume() -> None:
        with pytest.raises(ZeroDivisionError):
            await anext(stream)
        failures.append(1)

    async with anyio.create_task_group() as group:
        group.start_soon(consume)
        group.start_soon(consume)
    assert (len(failures), numbers.log) == (2, ["abort"])


async def test_cancelled() -> None:
    numbers = Numbers(3)
    stream = Stream(numbers)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await anext(stream)
    assert scope.cancelled_caught
    assert numbers.log == ["abort"]


async def test_a_start_that_fails_lets_go_when_dropped() -> None:
    class Failing(Numbers):
        async def start(self) -> None:
            raise OSError

    numbers = Failing(3)
    with pytest.raises(OSError):
        async with Stream(numbers):
            pytest.fail("not reached")
    gc.collect()
    assert numbers.log == ["abort"]


async def test_the_default_start_does_nothing() -> None:
    class Plain(Numbers):
        start = Producer.start

    numbers = Plain(0)
    async with Stream(numbers) as stream:
        assert [one async for one in stream] == []
    assert numbers.log == ["aclose"]


def test_a_failed_init_is_no_second_error() -> None:
    with pytest.raises(TypeError):
        Stream()  # type: ignore[call-arg]
    Stream.__new__(Stream).__del__()


def test_a_stream_is_no_native_generator() -> None:
    assert not isinstance(Stream(Numbers(0)), types.AsyncGeneratorType)


def test_the_library_has_no_async_generators() -> None:
    package = Path(netclients.__file__).parent
    found = [
        f"{path.relative_to(package)}: {node.name}"
        for path in sorted(package.rglob("*.py"))
        if not {"testing", "cli"} & set(path.parts)  # programs and test tools, not what users iterate
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.AsyncFunctionDef) and _yields(node) and not _is_context_manager(node)
    ]
    assert found == []


def _yields(function: ast.AsyncFunctionDef) -> bool:
    nested = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    pending = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return True
        if not isinstance(node, nested):
            pending += list(ast.iter_child_nodes(node))  # type: ignore[arg-type]
    return False


def _is_context_manager(function: ast.AsyncFunctionDef) -> bool:
    return any("contextmanager" in ast.unparse(one) for one in function.decorator_list)
