"""Drives the running service from its OpenAPI document, as a stranger who has only that and some tokens.

First a story by hand, so that every operation succeeds at least once; then generated requests, valid and
invalid, by every role. Each answer must be one that the document speaks of: status, content type and schema.
Exit code 0 when all conform and every operation succeeded; 1 otherwise; 2 for wrong arguments.

The context file is JSON: {"tokens": {agency: token, ...}}, such as the ready file of `causeway up`. More
real ids may stand beside them: {"ids": {"incident": [...], "assignment": [...], "referral": [...]}}, by the
name of the path parameter; generated requests draw from them too.
"""

import argparse
import itertools
import json
import random
import sys
import time
import uuid
from pathlib import Path

import requests
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.errors import HypothesisException
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation

from api_record import TAKES_REFERRALS, Service
from api_story import MOVES_TIME, Broken, Story

# Every third generated request comes from an agency that the operation is not for.
EVERY_OTHER_ROLE = 3


def main():
    arguments = parse_arguments()
    context = json.loads(Path(arguments.context).read_text())
    began = time.monotonic()
    service = Service(arguments.url, read_document(arguments))
    story = Story(service, context["tokens"])
    broken = None
    try:
        story.tell()
    except Broken as error:
        broken = str(error)
    told = time.monotonic()
    print(f"the story took {told - began:.1f} s; generating with seed {arguments.seed}", flush=True)
    left_out = generate(service, story, context.get("ids", {}), arguments, began + arguments.seconds)
    print_table(service)
    print(f"{time.monotonic() - began:.1f} s in all")
    mistakes = document_mistakes(service.document)
    return report(service, broken, left_out, mistakes)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="where the service answers")
    parser.add_argument("--context", required=True, help="a JSON file with tokens by agency, and ids")
    parser.add_argument("--document", help="an OpenAPI document to hold the service to, not its own")
    parser.add_argument("--examples", type=int, default=10, help="generated requests per operation and kind")
    parser.add_argument("--seconds", type=float, default=75.0, help="nothing is generated after that")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    return parser.parse_args()


def read_document(arguments):
    if arguments.document:
        return json.loads(Path(arguments.document).read_text())
    return requests.get(f"{arguments.url}/openapi.json", timeout=10).json()


def document_mistakes(document):
    """What the checks of answers do not see: two operations of one id are one to most generators."""
    seen, twice = set(), []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = operation.get("operationId")
            if name in seen:
                twice.append(f"{method.upper()} {path}: the operationId {name} is another operation's too")
            seen.add(name)
    return twice


def generate(service, story, ids, arguments, deadline):
    """Generated requests for every operation; returns those that time cut short."""
    left_out = []
    for name in service.operations:
        if name == MOVES_TIME:
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            run_examples(service, story, ids, name, mode, arguments, deadline)
            if time.monotonic() > deadline:
                left_out.append(name)
    return sorted(set(left_out))


def run_examples(service, story, ids, name, mode, arguments, deadline):
    agency, path = story.known.get(name, (next(iter(story.tokens)), {}))
    others = itertools.cycle(other for other in story.tokens if other != agency)
    numbers = itertools.count(1)
    strategy = service.operations[name].as_strategy(generation_mode=mode)

    @seed(arguments.seed)
    @settings(
        max_examples=arguments.examples,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
    )
    @given(case=strategy)
    def run(case):
        # Looked at before each request: a service that answers slowly does not stretch the run.
        if time.monotonic() > deadline:
            return
        number = next(numbers)
        ground(case, path, ids, number)
        caller = next(others) if number % EVERY_OTHER_ROLE == 0 else agency
        response = service.send(name, case, story.tokens[caller])
        if name in TAKES_REFERRALS and mode.is_negative and response is not None:
            must_refuse_or_withhold(service, name, response)

    try:
        run()
    except HypothesisException:
        # Nothing of this operation can be invalid: it takes any string and has no body.
        if mode.is_positive:
            raise


def ground(case, path, ids, number):
    """Puts real things where a generator can only guess. What is invalid on purpose stays as it is."""
    invalid = {
        location for location, component in case.meta.components.items() if component.mode.is_negative
    }
    if ParameterLocation.PATH not in invalid and number % 2:
        for name in case.path_parameters:
            known = [path[name]] if name in path else []
            choices = known + list(ids.get(name, []))
            if choices:
                case.path_parameters[name] = choices[number // 2 % len(choices)]
    if ParameterLocation.HEADER not in invalid and "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = str(uuid.uuid4())


def must_refuse_or_withhold(service, name, response):
    """An invalid referral is refused, or taken without the fields that its gate names."""
    if response.status_code >= 400:
        return
    answers = [json.loads(line) for line in response.text.splitlines()]
    for answer in answers:
        receipt = answer.get("receipt") if "line" in answer else answer
        if receipt and not receipt["gate"]["withheld"]:
            service.note(name, "An invalid referral was taken whole", json.dumps(answer)[:400])


def print_table(service):
    width = max(map(len, service.tallies))
    print(f"{'operation':<{width}}  requests   2xx  failures  statuses")
    for name, tally in service.tallies.items():
        statuses = " ".join(f"{status}:{count}" for status, count in sorted(tally.statuses.items()))
        print(f"{name:<{width}}  {tally.requests:>8}  {tally.done:>4}  {len(tally.failures):>8}  {statuses}")


def report(service, broken, left_out, mistakes):
    for name, tally in service.tallies.items():
        for kind, description in tally.failures.items():
            print(f"\n{name}: {kind}\n  " + description.replace("\n", "\n  "))
    silent = [name for name, tally in service.tallies.items() if not tally.done]
    failed = sum(len(tally.failures) for tally in service.tallies.values())
    verdicts = [
        *mistakes,
        *(f"{name}: never succeeded" for name in silent),
        *([f"the story broke off: {broken}"] if broken else []),
        *([f"{failed} kinds of failure, see above"] if failed else []),
        *([f"time ran out, so these were not or hardly tried: {', '.join(left_out)}"] if left_out else []),
    ]
    print("\n" + "\n".join(verdicts or ["every operation succeeded, and every answer was as documented"]))
    return 1 if verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
