"""Holds pairs of XML documents against each other in canonical form (C14N 2.0), with Python's own library.

Call: same_xml.py ONE OTHER [ONE OTHER ...]. White space between elements is no content and does not count.
Exit code 0 when each pair is the same; 1 with the first difference of each pair that is not; 2 for wrong arguments.
"""

import difflib
import sys
from xml.etree.ElementTree import canonicalize


def main(paths):
    if not paths or len(paths) % 2:
        print(__doc__.splitlines()[2], file=sys.stderr)
        return 2
    different = [difference(one, other) for one, other in zip(paths[::2], paths[1::2])]
    found = [told for told in different if told]
    print("\n".join(found))
    return 1 if found else 0


def difference(one, other):
    """Where two documents part; None when they are the same."""
    left, right = (canonical(path).replace("><", ">\n<").splitlines() for path in (one, other))
    lines = list(difflib.unified_diff(left, right, one, other, lineterm="", n=1))
    return "\n".join(lines[:12]) if lines else None


def canonical(path):
    return canonicalize(from_file=path, strip_text=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
