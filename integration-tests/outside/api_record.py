"""One call against the running service: sent, checked against the OpenAPI document, and counted.

Every answer, of the story and of generated requests alike, goes through `Service.send`.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field

import requests
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

# How long an answer may take. A command is answered within 15 s, done or not.
ANSWER_SECONDS = 20.0
# A machine that is busy elsewhere is no fault of the answers: what is not done yet (202) or not reachable for now
# (503, with when to come again) is sent again, as the document tells a client to, so often and no more.
SENT_AGAIN = 10
LONGEST_WAIT_SECONDS = 5.0
# How long a stream is listened to for its first event: what is there already comes at once.
LISTEN_SECONDS = 2.0
STREAM = "text/event-stream"
TRAIL = "application/jsonl"
LINES = "application/x-ndjson"
CONFIG = schemathesis.Config.from_dict({
    "max-stream-events": 1,
    # Every request carries the token that it is sent with here, and no made-up one.
    "generation": {"with-security-parameters": False},
})
# An answer without an end.
STREAMS = {"GET /v1/inbox/stream", "GET /v1/overview/stream"}
# What is invalid is not always refused here: a batch says so line by line, and of an emergency the gate
# withholds what it cannot take and says which fields those are.
TAKES_REFERRALS = {
    "POST /v1/referrals",
    "POST /v1/referrals:batch",
    "POST /v1/referrals/{referral}/amend",
}


@dataclass
class Tally:
    """What came of one operation."""

    requests: int = 0
    done: int = 0
    statuses: Counter = field(default_factory=Counter)
    # What went wrong, each kind once, with its first example.
    failures: dict = field(default_factory=dict)


class Service:
    """The running service, as its document describes it."""

    def __init__(self, address, document):
        self.address = address
        self.document = document
        schema = schemathesis.openapi.from_dict(document, config=CONFIG)
        self.operations = {}
        for found in schema.get_all_operations():
            operation = found.ok()
            self.operations[f"{operation.method.upper()} {operation.path}"] = operation
        self.tallies = {name: Tally() for name in self.operations}
        self.session = requests.Session()

    def case(self, name, **parts):
        if name not in self.operations:
            raise KeyError(f"the document has no operation {name}")
        return self.operations[name].Case(**parts)

    def send(self, name, case, token):
        """Sends and checks a case. Failures are noted, never raised: the run goes on to the next request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        tally = self.tallies[name]
        tally.requests += 1
        seconds = LISTEN_SECONDS if name in STREAMS else ANSWER_SECONDS
        try:
            response = self.answered(case, headers, seconds, tally)
        except requests.RequestException as error:
            self.note(name, type(error).__name__, str(error))
            return None
        tally.statuses[response.status_code] += 1
        tally.done += 200 <= response.status_code < 300
        skipped = [negative_data_rejection] if name in TAKES_REFERRALS else []
        try:
            case.validate_response(response, checks=CHECKS, excluded_checks=skipped, headers=headers)
        except FailureGroup as group:
            for failure in group.exceptions:
                self.note(name, kind_of(failure, response), described(failure, case, response))
        return response

    def answered(self, case, headers, seconds, tally):
        """The answer, after as many tries as a client would make of what says that it comes later."""
        for _ in range(SENT_AGAIN):
            response = case.call(self.address, self.session, headers, timeout=seconds)
            wait = later(response)
            if wait is None:
                break
            tally.statuses[response.status_code] += 1
            time.sleep(min(wait, LONGEST_WAIT_SECONDS))
        return response

    def note(self, name, kind, description):
        self.tallies[name].failures.setdefault(kind, description)


def later(response):
    """The seconds after which to send the same again; none when this is the answer."""
    if response.status_code == 202:
        return 1.0
    told = response.headers.get("retry-after", [None])[0]
    return float(told) if response.status_code == 503 and told else None


def kind_of(failure, response):
    content_type = response.headers.get("content-type", ["none"])[0].split(";")[0]
    return f"{failure.title} ({response.status_code}, {content_type})"


def described(failure, case, response):
    """Enough to see what was sent and said. The token is left out."""
    body = case.body if isinstance(case.body, (dict, list, str, int, float, bool, type(None))) else None
    sent = json.dumps(body, default=repr)[:400]
    headers = {name: value for name, value in case.headers.items() if name.lower() != "user-agent"}
    return "\n".join([
        failure.message.strip()[:600],
        f"sent: {case.method} {case.formatted_path} query {case.query} headers {headers} body {sent}",
        f"answer: {response.status_code} {response.text[:400]}",
    ])


@schemathesis.deserializer(STREAM)
def read_stream(_context, response):
    """A stream is text to the document: OpenAPI has no words for its events."""
    return response.content.decode()


@schemathesis.deserializer(TRAIL)
def read_trail(_context, response):
    """A trail is text to the document: its lines are of several kinds."""
    return response.content.decode()


@schemathesis.deserializer(LINES)
def read_lines(_context, response):
    """Requests here are of one line, and so are the answers."""
    return json.loads(response.content.decode().splitlines()[0])


@schemathesis.serializer(LINES)
def write_lines(_context, value):
    return (json.dumps(value) + "\n").encode()
