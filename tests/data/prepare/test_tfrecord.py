"""TFRecord files are read whole and checked, or refused with what is wrong with them."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from tfrecords import example, field, record, varint

from umt_lib.data.prepare.tfrecord import RecordError, crc32c, examples

FEATURES = {"id": [b"aB-1", b""], "labels": [3, 0, 300, -2, 2**62], "x": [0.5, -2.0, 1e9]}


@pytest.fixture
def read(tmp_path):
    def read(content: bytes):
        (tmp_path / "file.tfrecord").write_bytes(content)
        return examples(tmp_path / "file.tfrecord")

    return read


def test_every_kind_of_feature_is_read(read):
    first, second = read(record(example(**FEATURES)) + record(example(id=[b"b"])))
    assert first["id"] == [b"aB-1", b""]
    assert first["labels"].tolist() == FEATURES["labels"]
    assert first["labels"].dtype == np.int64
    assert first["x"].tolist() == np.float32(FEATURES["x"]).tolist()
    assert first["x"].dtype == np.float32
    assert second == {"id": [b"b"]}
    assert read(b"") == []


def test_numbers_may_have_a_field_each_and_unknown_fields_are_skipped(read):
    floats = b"".join(varint(1 << 3 | 5) + struct.pack("<f", v) for v in (1.5, 2.5))
    numbers = b"".join(varint(1 << 3) + varint(v) for v in (7, -1))
    unknown = field(9, b"?") + varint(9 << 3 | 1) + bytes(8) + varint(9 << 3) + varint(5)
    entries = [("x", field(2, floats)), ("n", unknown + field(3, numbers))]
    data = b"".join(field(1, field(1, k.encode()) + field(2, v)) for k, v in entries)
    (found,) = read(record(unknown + field(1, data)))
    assert found["x"].tolist() == [1.5, 2.5]
    assert found["n"].tolist() == [7, -1]


def test_checksums_are_those_of_the_standard():
    """RFC 3720, section B.4, and parts of different lengths at once."""
    known = {bytes(32): 0x8A9136AA, b"\xff" * 32: 0x62A8AB43, bytes(range(32)): 0x46DD794E}
    assert crc32c(list(known)).tolist() == list(known.values())
    parts = [b"a" * size for size in (5, 0, 9, 1)]
    alone = [int(crc32c([part])[0]) for part in parts]
    assert crc32c(parts).tolist() == alone


def test_a_file_that_ends_anywhere_but_after_a_record_is_truncated(read):
    first = record(example(**FEATURES))
    content = first + record(example(id=[b"b"]))
    for size in range(1, len(content)):
        if size == len(first):
            assert len(read(content[:size])) == 1
        else:
            number = 1 if size < len(first) else 2
            with pytest.raises(RecordError, match=f"truncated: it ends within record {number}$"):
                read(content[:size])


def test_any_byte_that_changes_is_noticed(read):
    content = record(example(id=[b"a"], x=[1.0])) + record(example(id=[b"b"]))
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 0x10
        with pytest.raises(RecordError, match=r"altered: the (length of )?record [12] has another"):
            read(bytes(changed))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xff" * 11, "a number without an end"),
        (varint(1 << 3 | 2) + b"\x05ab", "a field ends after its message"),
        (varint(1 << 3 | 3), "wire type 3"),
        (field(1, field(1, field(1, b"x") + field(2, field(2, field(1, b"abc"))))), "buffer size"),
        (field(1, field(1, field(1, b"x") + field(2, field(2, b"") + field(3, b"")))), "2 lists"),
        (field(1, field(1, field(1, b"\xff") + field(2, field(1, b"")))), "can't decode"),
    ],
)
def test_a_record_of_something_else_is_refused(read, data, why):
    with pytest.raises(RecordError, match=f"record 2 is not a tf.train.Example .*{why}"):
        read(record(example(id=[b"a"])) + record(data))
