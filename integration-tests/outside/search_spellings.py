"""Every form in which a text may hide in bytes, and a search for many of them at once, for search_markers.py."""

import base64
import ipaddress
import json
from urllib.parse import quote
from xml.sax.saxutils import escape

# Shorter ones would be found in ciphertext by chance.
SHORTEST_MARKER = 8
# Patterns that begin with so many equal bytes are looked for as one.
SAME_BEGINNING = 8
# Of bytes that a text stands for, at least so many.
SHORTEST_BYTES = 12


def spellings(marker):
    """Each form by its name."""
    plain = marker.encode()
    yield "plain", plain
    yield "lower case", marker.lower().encode()
    yield "upper case", marker.upper().encode()
    for shift in range(3):
        for name, text in base64_forms(plain, shift):
            yield f"{name} after {shift} bytes", text
    yield "hex", plain.hex().encode()
    yield "upper-case hex", plain.hex().upper().encode()
    yield "UTF-16LE", marker.encode("utf-16-le")
    yield "UTF-16BE", marker.encode("utf-16-be")
    yield "JSON", json.dumps(marker)[1:-1].encode()
    yield "JSON of UTF-8", json.dumps(marker, ensure_ascii=False)[1:-1].encode()
    yield "JSON, all escaped", b"".join(b"\\u%04x" % unit for unit in utf16_units(marker))
    yield "JSON, all escaped, upper case", b"".join(b"\\u%04X" % unit for unit in utf16_units(marker))
    yield "percent", quote(marker, safe="").encode()
    yield "percent, as a path", quote(marker).encode()
    yield "percent, as a form", quote(marker, safe="").replace("%20", "+").encode()
    yield "percent, all escaped", b"".join(b"%%%02X" % byte for byte in plain)
    yield "percent, all escaped, lower case", b"".join(b"%%%02x" % byte for byte in plain)
    yield "XML", escape(marker, {'"': "&quot;"}).encode()
    yield "decimal bytes", ", ".join(map(str, plain)).encode()
    yield "decimal bytes, close", ",".join(map(str, plain)).encode()
    yield from meant_bytes(marker)


def base64_forms(plain, shift):
    """The characters that stand for these bytes alone, whatever comes before and after them."""
    encoded = base64.b64encode(b"\x00" * shift + plain)
    first, end = -(-shift * 8 // 6), (shift + len(plain)) * 8 // 6
    standard = encoded[first:end]
    yield "base64", standard
    yield "base64url", standard.translate(bytes.maketrans(b"+/", b"-_"))


def utf16_units(text):
    encoded = text.encode("utf-16-be")
    return [int.from_bytes(encoded[at : at + 2], "big") for at in range(0, len(encoded), 2)]


def meant_bytes(marker):
    """What a text that is hex or an address stands for."""
    try:
        yield from own_forms("address", ipaddress.ip_address(marker).packed)
    except ValueError:
        pass
    try:
        yield from own_forms("digest", bytes.fromhex(marker))
    except ValueError:
        pass


def own_forms(name, data):
    if len(data) >= SHORTEST_BYTES:
        yield f"{name}, as bytes", data
        for shift in range(3):
            for form, text in base64_forms(data, shift):
                yield f"{name}, as {form} after {shift} bytes", text


class Needles:
    """Markers, to be looked for in many pieces. Those that begin alike cost no more than one."""

    def __init__(self, markers):
        patterns = {}
        for number, marker in enumerate(markers, 1):
            for spelling, pattern in spellings(marker):
                patterns.setdefault(pattern, (number, spelling))
        self.patterns = patterns
        groups = {}
        for pattern in patterns:
            groups.setdefault(pattern[:SAME_BEGINNING], []).append(pattern)
        self.groups = {common_beginning(alike): alike for alike in groups.values()}

    def search(self, data):
        """The marker's number and the spelling of each that stands in the data."""
        for needle, alike in self.groups.items():
            if needle in data:
                yield from (self.patterns[pattern] for pattern in alike if pattern in data)


def common_beginning(patterns):
    least, most = min(patterns), max(patterns)
    same = 0
    while same < len(least) and least[same] == most[same]:
        same += 1
    return least[:same]
