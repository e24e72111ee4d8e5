"""Another library's lookups over the same digests, on one core: faiss, comparing with all, and by hashes of parts.

Arguments: a file of digests and a file of queries, 32 bytes each. Prints JSON: of each way its name, the seconds to
build, queries a second, how many digests were found, and SHA-256 over a line for each of them in order.
"""

import hashlib
import json
import sys
import time

import faiss
import numpy

BITS, DISTANCE = 256, 31
# So many queries are asked of the way that compares with all.
FEW = 500


def main():
    digests, queries = (numpy.fromfile(path, dtype=numpy.uint8).reshape(-1, BITS // 8) for path in sys.argv[1:3])
    faiss.omp_set_num_threads(1)
    whole = faiss.IndexBinaryFlat(BITS)
    # Sixteen tables of sixteen bits, each looked into a bit away: exact up to a distance of 31.
    parts = faiss.IndexBinaryMultiHash(BITS, 16, 16)
    parts.nflip = 1
    told = [measured("faiss IndexBinaryMultiHash, 16 of 16 bits, 1 flip", parts, digests, queries)]
    few = measured("faiss IndexBinaryFlat", whole, digests, queries[:FEW])
    few["digest"] = told[0]["digest"] if few["digest"] == digest_of(*search(parts, queries[:FEW])[:3]) else "other"
    few["found"] = told[0]["found"]
    print(json.dumps(told + [few]))


def search(index, queries):
    # Distances below the radius.
    limits, distances, numbers = index.range_search(queries, DISTANCE + 1)
    return limits, distances, numbers


def digest_of(limits, distances, numbers):
    lines = hashlib.sha256()
    for query in range(len(limits) - 1):
        span = slice(limits[query], limits[query + 1])
        for distance, number in sorted(zip(distances[span].tolist(), numbers[span].tolist())):
            lines.update(f"{query} {number} {int(distance)}\n".encode())
    return lines.hexdigest()


def measured(name, index, digests, queries):
    began = time.perf_counter()
    index.add(digests)
    built = time.perf_counter()
    found = search(index, queries)
    done = time.perf_counter()
    return {
        "name": name,
        "build_s": built - began,
        "per_s": len(queries) / (done - built),
        "found": len(found[2]),
        "digest": digest_of(*found),
    }


if __name__ == "__main__":
    main()
