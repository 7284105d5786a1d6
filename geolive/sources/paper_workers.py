"""Blocks of the paper's data.csv are read by worker processes, side by side.

A worker is this module run as a program: it takes a header and then blocks from its standard input and answers each with an
Arrow stream. It ends when its input does, so none is left behind when the command is stopped or killed.
"""

import os
import queue
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import orjson
import pyarrow as pa

import geolive
from geolive.errors import InputError
from geolive.sources.paper_blocks import read_block
from geolive.sources.paper_rows import RowReader

MOST_WORKERS = 4
# before each message: a number (of the block's first line; of the answer: 1 where it is an error), and its length
_FRAME = struct.Struct("<QQ")


def read_blocks(header: list[str], blocks: Iterable[bytes], number: int) -> Iterator[pa.RecordBatch]:
    """Read blocks of lines, in their order, a worker process for each processor.

    Parameters
    ----------
    header : list of str
    blocks : iterable of bytes
        Whole lines each.
    number : int
        The number of the first block's first line.

    Yields
    ------
    RecordBatch
        As `read_block` returns it.

    Raises
    ------
    InputError
        As `read_block` does.

    Examples
    --------
    >>> header = "key,unique_cluster,ilon,ilat,features,features_name,confidence,pov,pov_label,pop,pop_label,bmi,bmi_label"
    >>> [batch.num_rows for batch in read_blocks(header.split(","), [b"nonsense\\n"], 2)]
    [0]
    """
    blocks = iter(blocks)
    first = [block for block in (next(blocks, b""), next(blocks, b"")) if block]
    n_workers = min(os.cpu_count() or 1, MOST_WORKERS)
    if len(first) < 2 or n_workers == 1:
        reader = RowReader(header)
        for block in (*first, *blocks):
            yield read_block(reader, block, number)
            number += block.count(b"\n")
        return
    with ExitStack() as stack:
        idle = queue.SimpleQueue()
        for _ in range(n_workers):
            idle.put(stack.enter_context(_Worker(header)))
        threads = stack.enter_context(ThreadPoolExecutor(n_workers))
        waiting: deque[Future] = deque()
        for block in chain(first, blocks):
            waiting.append(threads.submit(_ask, idle, block, number))
            number += block.count(b"\n")
            if len(waiting) > 2 * n_workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _ask(idle: queue.SimpleQueue, block: bytes, number: int) -> pa.RecordBatch:
    worker = idle.get()
    try:
        return worker.read(block, number)
    finally:
        idle.put(worker)


class _Worker:
    """A process that reads blocks; leaving the `with` block ends it."""

    def __init__(self, header: list[str]):
        found = [str(Path(geolive.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "geolive.sources.paper_workers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, found))},
        )
        _send(self._process.stdin, 0, orjson.dumps(header))

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *error) -> None:
        self._process.kill()
        self._process.communicate()

    def read(self, block: bytes, number: int) -> pa.RecordBatch:
        try:
            _send(self._process.stdin, number, block)
            failed, answer = _receive(self._process.stdout)
        except (OSError, EOFError):
            raise InputError(
                f"line {number}: the process that read on from there was stopped, perhaps for want of memory; try again"
            ) from None
        if failed:
            raise InputError(answer.decode())
        with pa.ipc.open_stream(answer) as stream:
            return stream.read_next_batch()


def _send(pipe: BinaryIO, number: int, message: bytes) -> None:
    pipe.write(_FRAME.pack(number, len(message)))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: BinaryIO) -> tuple[int, bytes]:
    frame = pipe.read(_FRAME.size)
    if len(frame) < _FRAME.size:
        raise EOFError
    number, length = _FRAME.unpack(frame)
    message = pipe.read(length)
    if len(message) < length:
        raise EOFError
    return number, message


def _work() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; the one that asks ends the others
    reader = RowReader(orjson.loads(_receive(sys.stdin.buffer)[1]))
    while True:
        try:
            number, block = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            batch = read_block(reader, block, number)
        except InputError as error:
            _send(sys.stdout.buffer, 1, str(error).encode())
            continue
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        _send(sys.stdout.buffer, 0, sink.getvalue())


if __name__ == "__main__":
    _work()
