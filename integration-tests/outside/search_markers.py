"""Searches what a deployment has left behind for texts that must stand nowhere.

Shares no code with the product. It reads files as they stand on disk: Kafka's own log segments, the services'
stores, their logs, and whatever else was written down (spans, metrics, answers over HTTP). Each file is searched
as its bytes are, each batch of Kafka's records decompressed too (format v2; gzip, snappy, lz4, zstd), and so is
every gzip, zlib, zstd and lz4 blob that is found anywhere in any of them, blobs within blobs included.

A marker is looked for as UTF-8 in its own, upper and lower case, as UTF-16 of both orders, hex of both cases,
base64 of both alphabets and all three alignments, as JSON, percent and XML escapes write it, and as the decimal
bytes that a debugger prints. A marker that is hex digits or an IP address is looked for as the bytes it stands
for as well. Not found: what is encrypted (that is the point), and deflate without a head.

Places are NAME=PATH, a file or a directory; `--kafka NAME=DIRECTORY` with `--prefix` is a directory of brokers,
`node-*/log/<prefix>*`. `--expect NAME=TEXT` must be found in that place: it proves that the place was read. The
last line is `searched: F files, B bytes, R records, found N`; no marker is ever printed, only its number. Exit
code 0 when nothing was found and all that was expected was; 1 otherwise; 2 for wrong arguments; 3 when something
could not be searched. `--self-test` plants a marker in every spelling, every compression and every kind of place,
and proves that each is found.
"""

import argparse
import gzip
import os
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import lz4.frame
import zstandard
from search_spellings import SHORTEST_MARKER, Needles

NOT_SEARCHED = 3

# Kafka's record batches (format v2): what stands before the records, and where the parts are.
BATCH_HEAD = 61
LENGTH_AT, MAGIC_AT, ATTRIBUTES_AT, COUNT_AT = 8, 16, 21, 57
MAGIC = 2
CODEC_BITS = 0x07
SNAPPY_STREAM = b"\x82SNAPPY\x00"
SNAPPY_STREAM_HEAD = 16

# A blob may hold a blob, so deep.
DEEPEST = 3
# Nothing here writes larger blobs, and a bomb must not end the search.
LARGEST_BLOB = 64 << 20
# Less than any marker: what decompresses to less holds none.
SMALLEST_BLOB = SHORTEST_MARKER

GZIP_MAGIC, ZSTD_MAGIC, LZ4_MAGIC = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"
ZLIB_MAGICS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")


class Failed(Exception):
    """Why the search is none, for the person who started it."""


class Place(NamedTuple):
    """What was named: files of any kind, or the segments of a broker's topics."""

    name: str
    files: list
    is_kafka: bool


def main():
    arguments = parse_arguments()
    try:
        if arguments.self_test:
            from search_self_test import self_test

            return self_test()
        return run(arguments)
    except Failed as failure:
        print(f"search_markers: {failure}", file=sys.stderr)
        return NOT_SEARCHED


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markers", help="texts that must stand nowhere: a file with one per line")
    parser.add_argument("--in", dest="places", action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--kafka", action="append", default=[], metavar="NAME=DIRECTORY")
    parser.add_argument("--prefix", default="", help="what stands before the names of the topics")
    parser.add_argument("--expect", action="append", default=[], metavar="NAME=TEXT", help="must be found there")
    parser.add_argument("--self-test", action="store_true", help="prove that what is planted is found")
    arguments = parser.parse_args()
    if not arguments.self_test and not (arguments.markers and (arguments.places or arguments.kafka)):
        parser.error("--markers and a place are required")
    return arguments


def run(arguments):
    places = [files_in(*pair(text)) for text in arguments.places]
    places += [segments_in(*pair(text), arguments.prefix) for text in arguments.kafka]
    expected = [pair(text) for text in arguments.expect]
    for name, _ in expected:
        if all(place.name != name for place in places):
            raise Failed(f"something is expected in {name}, which is no place")
    search = Search(Needles(read_markers(arguments.markers)), expected)
    for place in places:
        search.place(place)
    return search.report()


def pair(text):
    name, equals, rest = text.partition("=")
    if not equals:
        raise Failed("expected NAME=VALUE")
    return name, rest


def read_markers(path):
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise Failed(f"the markers in {path} do not read: {error}") from error
    markers = [line for line in lines if line.strip()]
    if not markers:
        raise Failed(f"there is no marker in {path}")
    for number, marker in enumerate(markers, 1):
        if len(marker.encode()) < SHORTEST_MARKER:
            raise Failed(f"marker {number} has under {SHORTEST_MARKER} bytes: it would be found by chance")
    return markers


def files_in(name, path):
    path = Path(path)
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    if not files:
        raise Failed(f"there is no file in {path}: nothing was searched")
    return Place(name, files, is_kafka=False)


def segments_in(name, directory, prefix):
    files = [
        file
        for partition in Path(directory).glob("node-*/log/*")
        if partition.name.startswith(prefix) and partition.is_dir()
        for file in sorted(partition.iterdir())
        if file.is_file()
    ]
    if not any(file.suffix == ".log" for file in files):
        raise Failed(f"there is no segment of {prefix}* in {directory}: nothing was searched")
    return Place(name, files, is_kafka=True)


class Search:
    """One run: what was found where, and how much was looked at."""

    def __init__(self, needles, expected=()):
        self.needles = needles
        self.missing = list(expected)
        self.found = []
        self.files = self.bytes = self.records = self.blobs = 0

    def place(self, place):
        wanted = [text.encode() for name, text in self.missing if name == place.name]
        seen = set()
        for file in place.files:
            try:
                data = read_data(file)
            except FileNotFoundError:
                # Kafka removes segments as it goes; what is gone holds nothing.
                continue
            self.files += 1
            for where, piece in self.pieces(data, is_segment=place.is_kafka and file.suffix == ".log"):
                self.bytes += len(piece)
                seen.update(text for text in wanted if text not in seen and text in piece)
                at = f"{place.name}: {file}{where}"
                self.found.extend((at, *hit) for hit in self.needles.search(piece))
        here = [(name, text) for name, text in self.missing if name == place.name and text.encode() in seen]
        self.missing = [one for one in self.missing if one not in here]

    def pieces(self, data, is_segment):
        """A file's bytes as they are, and everything that is compressed in them."""
        yield "", data
        if is_segment:
            for offset, records in self.batches(data):
                where = f", batch at {offset}"
                yield where, records
                yield from self.unpacked(records, where, DEEPEST)
        else:
            yield from self.unpacked(data, "", DEEPEST)

    def batches(self, data):
        """Each batch's records, decompressed. A tail that is still being written ends it."""
        at = 0
        while at + BATCH_HEAD <= len(data):
            end = at + LENGTH_AT + 4 + int.from_bytes(data[at + LENGTH_AT : at + LENGTH_AT + 4], "big")
            if end > len(data):
                return
            if data[at + MAGIC_AT] != MAGIC or end < at + BATCH_HEAD:
                raise Failed(f"a segment does not read at {at}: it was not searched")
            attributes = int.from_bytes(data[at + ATTRIBUTES_AT : at + ATTRIBUTES_AT + 2], "big")
            self.records += int.from_bytes(data[at + COUNT_AT : at + BATCH_HEAD], "big", signed=True)
            yield at, decompressed(attributes & CODEC_BITS, data[at + BATCH_HEAD : end])
            at = end

    def unpacked(self, data, where, depth):
        """Every blob in the data that decompresses, and the blobs within it."""
        if depth == 0:
            return
        for at, kind, blob in blobs_in(data):
            self.blobs += 1
            inside = f"{where}, {kind} at {at}"
            yield inside, blob
            yield from self.unpacked(blob, inside, depth - 1)

    def report(self):
        for at, number, spelling in self.found:
            print(f"FOUND marker {number} as {spelling} in {at}")
        for name, text in self.missing:
            print(f"EXPECTED and not found in {name}: {text}")
        counts = f"{self.files} files, {self.bytes} bytes, {self.records} records"
        print(f"searched: {counts}, found {len(self.found)}")
        return 1 if self.found or self.missing else 0


def read_data(path):
    """A file's bytes without its holes: Kafka's indexes and sled's files are mostly those."""
    pieces = []
    with open(path, "rb") as file:
        descriptor, at = file.fileno(), 0
        end = os.fstat(descriptor).st_size
        while at < end:
            try:
                begin = os.lseek(descriptor, at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(descriptor, begin, os.SEEK_HOLE)
            os.lseek(descriptor, begin, os.SEEK_SET)
            pieces.append(file_bytes(descriptor, at - begin))
    return b"".join(pieces)


def file_bytes(descriptor, count):
    parts = []
    while count > 0:
        part = os.read(descriptor, count)
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


# --- compressed ---------------------------------------------------------------------------------------------


def decompressed(codec, data):
    """A batch's records; what cannot be decompressed must not pass for searched."""
    try:
        return CODECS[codec](data)
    except (KeyError, IndexError, OSError, EOFError, zlib.error, RuntimeError, zstandard.ZstdError) as error:
        raise Failed(f"a batch does not decompress ({codec}): {error}") from error


def of_zstd(data):
    unpack = zstandard.ZstdDecompressor().decompressobj()
    out = unpack.decompress(data)
    if not unpack.eof:
        raise EOFError("cut short")
    return out


def of_snappy(data):
    """Raw, or in the stream of blocks that Java's library writes."""
    if not data.startswith(SNAPPY_STREAM):
        return snappy_block(data)
    at, blocks = SNAPPY_STREAM_HEAD, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        blocks.append(snappy_block(data[at + 4 : at + 4 + length]))
        at += 4 + length
    return b"".join(blocks)


def snappy_block(data):
    """One block of the snappy format: a length, then literals and copies."""
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            count = (tag >> 2) + 1
            if count > 60:
                more = count - 60
                count = int.from_bytes(data[at : at + more], "little") + 1
                at += more
            out += data[at : at + count]
            at += count
            continue
        if tag & 3 == 1:
            count, back = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            size = 2 if tag & 3 == 2 else 4
            count, back = (tag >> 2) + 1, int.from_bytes(data[at : at + size], "little")
            at += size
        if not 0 < back <= len(out):
            raise OSError("a copy from before the beginning")
        for _ in range(count):
            out.append(out[-back])
    if len(out) != length:
        raise OSError("a block of another length than it says")
    return bytes(out)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


CODECS = {0: bytes, 1: gzip.decompress, 2: of_snappy, 3: lz4.frame.decompress, 4: of_zstd}


def blobs_in(data):
    """Where a compressed blob begins, of which kind, and what is in it."""
    for kind, magics, unpack in (
        ("gzip", (GZIP_MAGIC,), lambda: zlib.decompressobj(wbits=31)),
        ("zlib", ZLIB_MAGICS, zlib.decompressobj),
        ("zstd", (ZSTD_MAGIC,), lambda: zstandard.ZstdDecompressor().decompressobj()),
        ("lz4", (LZ4_MAGIC,), lz4.frame.LZ4FrameDecompressor),
    ):
        for magic in magics:
            at = data.find(magic)
            while at >= 0:
                blob = blob_at(data, at, unpack())
                if len(blob) >= SMALLEST_BLOB:
                    yield at, kind, blob
                at = data.find(magic, at + 1)


def blob_at(data, at, unpack):
    """As much as decompresses: a blob that is cut short gives what came before the cut."""
    out, size = [], 0
    for begin in range(at, len(data), STEP):
        try:
            part = unpack.decompress(data[begin : begin + STEP])
        except (OSError, EOFError, zlib.error, RuntimeError, zstandard.ZstdError):
            break
        out.append(part)
        size += len(part)
        if unpack.eof or size > LARGEST_BLOB:
            break
    return b"".join(out)


# Small, so that what only looks like the beginning of a blob costs little, and a blob that breaks off late gives
# all that came before.
STEP = 4 << 10


if __name__ == "__main__":
    sys.exit(main())
