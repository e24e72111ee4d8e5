"""Plants a marker in every spelling, every compression and every kind of place, and proves that search_markers.py
finds each one; and that it finds nothing where nothing was planted, and says so where it could not look.

What is planted is made with other code than what is searched with: Python's own encoders over whole texts.
"""

import base64
import contextlib
import gzip
import io
import json
import sys
import tempfile
import zlib
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote, quote_plus

import lz4.frame
import search_markers
import zstandard

MARKER = "Marker: Nobody Ever Lived at 7 Made-up Lane"
# With letters that escape, and some outside of Latin.
FOREIGN = "??>>~~ \u00ff\u00fe \"<&'/+ \u4e2d\u6587 \U0001f6d1"
# It repeats itself, so that a compressor leaves only half of it.
REPEATING = "synthetic-marker-synthetic-marker-7"
DIGEST = "00112233445566778899aabbccddeeff0123456789abcdef"
ADDRESS = "2001:db8:5eed:1:2:3:4:5"
INNOCENT = b'{"kind":"csam","note":"Nobody ever lived here, and no marker stands here"}' * 50


def self_test():
    bench = Bench()
    with tempfile.TemporaryDirectory() as directory:
        bench.directory = Path(directory)
        spellings(bench)
        blobs(bench)
        segments(bench)
        what_is_not_searched(bench)
    for failure in bench.failures:
        print(f"SELF-TEST FAILED: {failure}")
    print(f"self-test: {bench.checks} checks, {len(bench.failures)} failed")
    return 1 if bench.failures else 0


class Bench:
    def __init__(self):
        self.failures, self.checks, self.directory = [], 0, None

    def expect(self, what, data, code, markers=(MARKER,), segment=False):
        """Searches a file with this data, in a directory of its own, as a file or as a broker's segment."""
        self.checks += 1
        root = self.directory / str(self.checks)
        inside = root / ("node-1/log/test.topic-0" if segment else "deep/er")
        inside.mkdir(parents=True)
        (inside / "00000000000000000000.log").write_bytes(data)
        (root / "markers").write_text("\n".join(markers) + "\n", encoding="utf-8")
        place = "--kafka" if segment else "--in"
        directory = root if segment else root / "deep"
        found = run(["--markers", root / "markers", "--prefix", "test.", place, f"place={directory}"])
        if found != code:
            self.failures.append(f"{what}: exit code {found}")

    def found(self, what, data, **options):
        self.expect(what, data, code=1, **options)

    def clean(self, what, data, **options):
        self.expect(what, data, code=0, **options)


def run(arguments):
    """The exit code of a whole run."""
    before, sys.argv = sys.argv, ["search_markers.py", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return search_markers.main()
    finally:
        sys.argv = before


def spellings(bench):
    bench.clean("an untouched file", INNOCENT)
    bench.clean("an untouched file, for a foreign marker", INNOCENT, markers=(FOREIGN, DIGEST, ADDRESS))
    for marker in (MARKER, FOREIGN):
        for what, form in forms_of(marker).items():
            bench.found(f"{what} of {marker!a}", INNOCENT + form + INNOCENT, markers=("Not there at all", marker))
    for before in range(5):
        for after in range(3):
            whole = b"x" * before + MARKER.encode() + b"y" * after
            bench.found(f"base64, {before} before, {after} after", base64.b64encode(whole))
            bench.found(f"base64url, {before} before, {after} after", base64.urlsafe_b64encode(whole))
    for before in range(3):
        bench.found("a digest's bytes", b"x" * before + bytes.fromhex(DIGEST) + b"y", markers=(DIGEST,))
        encoded = base64.b64encode(b"x" * before + bytes.fromhex(DIGEST) + b"yz")
        bench.found("a digest's bytes in base64", encoded, markers=(DIGEST,))
    packed = bytes.fromhex("20010db85eed00010002000300040005")
    bench.found("an address's bytes", b"\x10" + packed, markers=(ADDRESS,))
    alike = [f"{MARKER}, number {number}" for number in range(40)]
    bench.found("one of many that begin alike", INNOCENT + alike[33].encode(), markers=alike)


def forms_of(marker):
    plain = marker.encode()
    return {
        "plain": plain,
        "lower case": marker.lower().encode(),
        "upper case": marker.upper().encode(),
        "hex": plain.hex().encode(),
        "upper-case hex": plain.hex().upper().encode(),
        "UTF-16LE": marker.encode("utf-16-le"),
        "UTF-16BE": marker.encode("utf-16-be"),
        "JSON": json.dumps({"x": marker}).encode(),
        "JSON in UTF-8": json.dumps({"x": marker}, ensure_ascii=False).encode(),
        "percent-encoded": quote(f"<{marker}>").encode(),
        "percent-encoded whole": quote(marker, safe="").encode(),
        "a form": quote_plus(marker).encode(),
        "all percent-encoded": "".join(f"%{byte:02X}" for byte in plain).encode(),
        "XML": marker.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace(">", "&gt;").encode(),
        "decimal bytes": str(list(plain)).encode(),
        "decimal bytes in JSON": json.dumps(list(plain), separators=(",", ":")).encode(),
    }


def blobs(bench):
    text = INNOCENT + REPEATING.encode() + INNOCENT
    packers = {
        "gzip": gzip.compress,
        "zlib": zlib.compress,
        "zlib, quick": lambda data: zlib.compress(data, 1),
        "zlib, best": lambda data: zlib.compress(data, 9),
        "zstd": zstandard.ZstdCompressor().compress,
        "zstd, streamed": lambda data: streamed(zstandard.ZstdCompressor().compressobj(), data),
        "lz4": lz4.frame.compress,
    }
    for what, pack in packers.items():
        for around in (b"", b"x\x78\x9cy\x1f\x8b\x08", bytes(5000)):
            blob = around + pack(text) + around
            bench.found(f"in {what} within {len(around)} bytes", blob, markers=(REPEATING,))
            bench.clean(f"nothing in {what}", around + pack(INNOCENT) + around, markers=(REPEATING,))
        encoded = pack(base64.b64encode(b"x" + REPEATING.encode()))
        bench.found(f"base64 in {what}", encoded, markers=(REPEATING,))
        bench.found(f"{what} in gzip", gzip.compress(b"head" + pack(text)), markers=(REPEATING,))


def streamed(compressor, data):
    return compressor.compress(data) + compressor.flush()


def segments(bench):
    codecs = {
        0: bytes,
        1: gzip.compress,
        2: snappy,
        3: lz4.frame.compress,
        4: zstandard.ZstdCompressor().compress,
    }
    nothing = batch(0, INNOCENT)
    for codec, pack in codecs.items():
        planted = batch(codec, pack(REPEATING.encode()))
        for what, before, after in (("first", b"", nothing), ("last", nothing, b""), ("alone", b"", b"")):
            segment = before + planted + after
            bench.found(f"codec {codec}, {what}", segment, markers=(REPEATING,), segment=True)
        inner = batch(codec, pack(b"key" + gzip.compress(INNOCENT + REPEATING.encode())))
        bench.found(f"a blob in codec {codec}", inner, markers=(REPEATING,), segment=True)
        bench.clean(f"nothing in codec {codec}", batch(codec, pack(INNOCENT)), markers=(REPEATING,), segment=True)
    stream = b"\x82SNAPPY\x00" + bytes(8)
    for half in (b"synthetic-", b"marker-synthetic-marker-7"):
        block = snappy_literal(half)
        stream += len(block).to_bytes(4, "big") + block
    planted = nothing + batch(2, stream)
    bench.found("snappy in a stream of blocks", planted, markers=(REPEATING,), segment=True)
    # What is still being written ends a segment; what is there of it is searched as it is.
    cut = batch(0, MARKER.encode() + INNOCENT)[:200]
    bench.found("a batch that is cut short", nothing + cut, segment=True)


def batch(codec, records):
    """The head of a record batch (format v2) with what stands in it; checksums are not looked at."""
    attributes, counts = codec.to_bytes(2, "big"), (1).to_bytes(4, "big")
    rest = bytes(4) + b"\x02" + bytes(4) + attributes + bytes(34) + counts + records
    return bytes(8) + len(rest).to_bytes(4, "big") + rest


def snappy(data):
    """Both kinds of copies that compressors make, where the data repeats itself; a literal otherwise."""
    if data != REPEATING.encode():
        return snappy_literal(data)
    first = b"synthetic-marker-"
    short = bytes([(11 - 4) << 2 | 1, len(first)])
    long = bytes([(6 - 1) << 2 | 2]) + len(first).to_bytes(2, "little")
    return bytes([len(data)]) + literal(first) + short + long + literal(b"7")


def snappy_literal(data):
    length, rest = [], len(data)
    while rest >= 0x80:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    return bytes([*length, rest]) + literal(data)


def literal(data):
    if len(data) <= 60:
        return bytes([(len(data) - 1) << 2]) + data
    return bytes([61 << 2]) + (len(data) - 1).to_bytes(2, "little") + data


def what_is_not_searched(bench):
    """A search that could not look must not say that there is nothing."""
    bad = {
        "a segment of another format": bytes(16) + b"\x01" + bytes(100),
        "a batch that does not decompress": batch(4, b"no zstd at all"),
        "an unknown codec": batch(7, INNOCENT),
    }
    for what, segment in bad.items():
        bench.expect(what, segment, 3, segment=True)
    root = bench.directory / "expected"
    (root / "here").mkdir(parents=True)
    (root / "here/file").write_bytes(b"z" + zlib.compress(b"this is expected" + INNOCENT))
    (root / "markers").write_text(MARKER + "\n")
    here = ["--markers", root / "markers", "--in", f"here={root / 'here'}"]
    for what, arguments, code in (
        ("what is expected is there", [*here, "--expect", "here=this is expected"], 0),
        ("what is expected is not there", [*here, "--expect", "here=this is not"], 1),
        ("something is expected nowhere", [*here, "--expect", "there=this is expected"], 3),
        ("a place without files", [*here, "--in", f"empty={root / 'nothing'}"], 3),
        ("no such broker", [*here, "--kafka", f"kafka={root}"], 3),
        ("no markers", ["--markers", "/dev/null", *here[2:]], 3),
        ("markers that are not there", ["--markers", root / "missing", *here[2:]], 3),
    ):
        bench.checks += 1
        found = run(arguments)
        if found != code:
            bench.failures.append(f"{what}: exit code {found}")
    short = root / "short"
    short.write_text("short\n")
    bench.checks += 1
    if run(["--markers", short, *here[2:]]) != 3:
        bench.failures.append("a marker that would be found by chance")
    sparse = root / "sparse"
    with open(sparse, "wb") as file:
        file.seek(1 << 30)
        file.write(MARKER.encode())
    search = search_markers.Search(search_markers.Needles([MARKER]))
    search.place(SimpleNamespace(name="sparse", files=[sparse], is_kafka=False))
    bench.checks += 1
    if not search.found or search.bytes > 1 << 20:
        bench.failures.append("a marker behind a hole of a file")


if __name__ == "__main__":
    sys.exit("search_self_test: run `search_markers.py --self-test`")
