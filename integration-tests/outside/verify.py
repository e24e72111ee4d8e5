"""Verifies a deployment from what stands in its topics, and from what its senders were told.

Shares no code with the product: it reads the topics with Kafka clients of its own, decodes the Avro itself
and holds the records against each other. It waits until nothing more is written (`--wait` at most), and
proves for everything that is committed by then:

1. Order. In each `*.events` topic every aggregate has the sequences 1, 2, 3 and so on, in one partition,
   under its own key. Every event names the digest of the record before (SHA-256 over four parts, each
   preceded by its length as 8 bytes, big endian: `causeway-event-v1`, the topic without the prefix, key,
   value). Ids are unique and follow from topic, aggregate and sequence. Input positions never go back, an
   input is answered in one place by one outcome, and it is the very record whose id the answer gives as its
   cause.
2. Nothing lost, nothing doubled. What the ledger says was received is received once, with the same ids and
   digest; each command has an outcome, at the first place where it stands; no referral, incident, assignment,
   item, call, alert, notice or feedback is there twice.
3. Every referral goes all its way: opened, every country found, each offered or withheld with an alert, each
   offer delivered as one item with one notice in its country's topic, each late answer escalated, each note
   and case number passed on, each reporter told what it may know, each sealed facet's keys in `sealed-keys`.
   Of an incident that was amended, or where something was taken back, less is held against what came before.
4. Nothing leaked. No offer, call, item or notice for a State never told, for an agency that stands elsewhere
   or across a border without the originator's word; items say what was offered; facets are disclosed to the
   assignment's own agency once it may open them and as far as it is entitled; markers (`--markers`) stand in
   no key, value or header of any record, committed or aborted, in plain text, base64, hex or UTF-16.
5. Dead letters are as many as expected (`--dead-letters`).
6. Two committed readers see the same records in the same order. What only an uncommitted reader sees was
   aborted: it is counted, and no committed reader sees any of it.
7. One digest per events topic, for another implementation to compare: the aggregates sorted by the bytes of
   their ids; for each its id, the last sequence (8 bytes, big endian) and the digest of its last record (as
   in 1, 32 bytes), each of the three preceded by its length as 8 bytes, big endian; SHA-256 over all of it.
   Since every record names the digest of the one before, this says everything that stands in the topic.

The ledger has one JSON object per line, one for each time a referral was sent: `reference`, `reporter`,
`status` (`received`, `refused`, or `unknown` where no answer came), `referral_id`, `incident_id`, `digest`.
All answers of one reference must agree.

Wrong order, and whatever does not read, counts as a gap; more or fewer dead letters than expected count as
lost. The last line is `verified: referrals N, lost L, doubled D, leaked K, gaps G`. Exit code 0 only when the
last four are 0; 1 otherwise, with examples; 2 for wrong arguments. `--self-test` plants faults in a made-up
deployment in memory and proves that each is found; it needs no Kafka.
"""

import argparse
import gc
import json
import sys
import time
from pathlib import Path

from verify_frame import KINDS
from verify_ledger import Ledger
from verify_reading import Failed, KafkaSource, Progress, Schemas
from verify_run import Verification
from verify_self_test import self_test

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "avro"


def main():
    arguments = parse_arguments()
    try:
        if arguments.self_test:
            return self_test(Schemas(arguments.schemas))
        return run(arguments)
    except Failed as failure:
        print(f"verify: {failure}", file=sys.stderr)
        return 1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brokers", help="bootstrap servers, comma separated")
    parser.add_argument("--prefix", default="", help="what stands before every topic's name")
    parser.add_argument("--schemas", default=SCHEMAS, help="the folder of Avro schemas, with ids.json")
    parser.add_argument("--ledger", help="what the senders were told: lines of JSON")
    parser.add_argument("--others", type=int, default=0, help="referrals that the ledger knows nothing of")
    parser.add_argument("--markers", help="texts that must stand nowhere: a file with one per line")
    parser.add_argument("--dead-letters", type=int, default=0, help="how many are expected")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds for everything to come to rest")
    parser.add_argument("--json", help="a file for the counts")
    parser.add_argument("--self-test", action="store_true", help="prove that planted faults are found")
    arguments = parser.parse_args()
    if not arguments.self_test and not arguments.brokers:
        parser.error("--brokers is required")
    return arguments


def run(arguments):
    begun = time.monotonic()
    # Nothing here is in cycles, and looking for them in all that is kept takes long.
    gc.disable()
    schemas = Schemas(arguments.schemas)
    ledger = Ledger.read(arguments.ledger) if arguments.ledger else None
    markers = read_markers(arguments.markers)
    source = KafkaSource(arguments.brokers, arguments.prefix, schemas.ids, arguments.wait)
    found = Verification(source, schemas, Progress()).run(
        markers=markers, ledger=ledger, others=arguments.others, dead_letters=arguments.dead_letters
    )
    found["seconds"] = round(time.monotonic() - begun, 1)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n")
    return report(found)


def read_markers(path):
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines() if path else []
    except (OSError, ValueError) as error:
        raise Failed(f"the markers in {path} do not read: {error}") from error
    return [line for line in lines if line.strip()]


def report(found):
    print(f"read in {found['seconds']} s")
    for topic, count in found["records"].items():
        aborted = found["aborted"].get(topic, 0)
        print(f"  {topic:<32} {count:>8} records" + (f", {aborted} aborted" if aborted else ""))
    print(f"aborted records: {sum(found['aborted'].values())}")
    if not found["quiet"]:
        print("IT DID NOT COME TO REST: what was on its way may stand here as lost")
    print(f"transactions still open in: {', '.join(found['open_transactions']) or 'no partition'}")
    print(f"commands given again: {found['commands_given_again']}")
    print(f"key sets that no facet names: {found['key_sets_unused']}")
    print(f"key sets that a facet names, erased: {found['key_sets_erased']}")
    print(f"answers with an older directory than one before: {found['answers_with_an_older_directory']}")
    if found["ledger"]:
        print("ledger: " + ", ".join(f"{count} {name}" for name, count in found["ledger"].items()))
    print(f"dead letters: {sum(found['dead_letters'].values())}")
    for reason, count in found["dead_letters"].items():
        print(f"  {count:>6}  {reason}")
    print("digests")
    for topic, digest in found["digests"].items():
        print(f"  {topic:<18} {digest}")
    for check, count in found["checks"].items():
        print(f"NOT SO, {count} times, {check}")
    for kind in KINDS:
        for example in found["examples"][kind]:
            print(f"  {kind}: {example['check']}: {example['at']} {example['detail']}".rstrip())
    counts = ", ".join(f"{kind} {found[kind]}" for kind in KINDS)
    print(f"verified: referrals {found['referrals']}, {counts}")
    return 1 if any(found[kind] for kind in KINDS) else 0


if __name__ == "__main__":
    sys.exit(main())
