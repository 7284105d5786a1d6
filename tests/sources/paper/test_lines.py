"""Blocks of whole lines, of plain, compressed and piped files."""

import gzip
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geolive.errors import InputError
from geolive.sources.paper import lines
from geolive.sources.paper.lines import find_line_blocks, read_line_blocks

TEXTS = st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b"")), max_size=30).map(b"\n".join)


@given(content=TEXTS, block=st.integers(1, 40))
def test_blocks_hold_all_lines_whatever_their_size_and_the_form_of_the_file(tmp_path_factory, content, block):
    folder = tmp_path_factory.mktemp("lines")
    plain, packed = folder / "plain.csv", folder / "packed.csv"
    # two bytes begin a compressed file
    content = b"a" + content
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        for path in (plain, packed):
            blocks = list(read_line_blocks(path))
            assert b"".join(blocks) == (content if content.endswith(b"\n") else content + b"\n")
            assert all(each.endswith(b"\n") for each in blocks)


def test_blocks_of_a_plain_file_can_be_read_in_any_order_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 100)
    path = tmp_path / "data.csv"
    path.write_bytes(b"".join(b"%d,%d\n" % (i, i) for i in range(1000)))
    blocks = list(find_line_blocks(path))
    assert len(blocks) > 50
    backwards = [read() for read in reversed(blocks)]
    assert b"".join(reversed(backwards)) == path.read_bytes() == b"".join(read() for read in blocks)


@pytest.mark.parametrize("change", ["longer", "shorter", "another"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, monkeypatch, change):
    monkeypatch.setattr(lines, "BLOCK", 100)
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\n" * 100)
    blocks = find_line_blocks(path)
    first = next(blocks)
    assert first() == b"a,b\n" * 25
    if change == "longer":
        path.write_bytes(b"a,b\n" * 101)
    elif change == "shorter":
        path.write_bytes(b"a,b\n" * 30)
    else:
        other = tmp_path / "other.csv"
        other.write_bytes(b"c,d\n" * 100)
        other.replace(path)
    with pytest.raises(InputError, match=r"data\.csv: changed while it was read; read it again when it is complete"):
        first()


def test_a_line_that_is_too_long_is_shortened_and_the_lines_after_it_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 100)
    monkeypatch.setattr(lines, "LONGEST_LINE", 300)
    path = tmp_path / "data.csv"
    path.write_bytes(b"a,b\n" * 60 + b"x" * 5000 + b"\n" + b"c,d\n" * 60)
    content = b"".join(read_line_blocks(path))
    first, long, *others = content[len(b"a,b\n" * 59) :].splitlines()
    assert (first, set(long), set(others), len(others)) == (b"a,b", {ord("x")}, {b"c,d"}, 60)
    assert 300 < len(long) < 5000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_read_as_a_stream(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "BLOCK", 100)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    content = b"a,b\n" * 1000
    writer = threading.Thread(target=path.write_bytes, args=(content,))
    writer.start()
    assert b"".join(read_line_blocks(path)) == content
    writer.join()


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"data\.csv: no such file; check the name"):
        list(read_line_blocks(tmp_path / "data.csv"))
    with pytest.raises(InputError, match="is a folder; give a file in it"):
        list(read_line_blocks(tmp_path))
