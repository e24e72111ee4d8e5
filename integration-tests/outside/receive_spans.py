"""Takes in what the services send out as telemetry, as an OpenTelemetry collector would, and writes it down.

Speaks OTLP over HTTP with OpenTelemetry's own messages and shares no code with the product. The first line of
its output is the address that it listens on; then each span is one JSON object on a line. Of metrics it says
on stderr which there are. Runs until it is told to stop. With --summarise it reads such lines again and prints
each trace as a table: when each span began after the trace's first, and how long it took, in milliseconds. With
--raw everything that comes in is also kept as it came, unpacked.
Exit code 0; 1 when a file cannot be read or written; 2 for wrong arguments.
"""

import argparse
import gzip
import json
import signal
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF = "application/x-protobuf"
NANOS_PER_MILLI = 1_000_000
INDENT = "  "


def main():
    arguments = parse_arguments()
    try:
        if arguments.summarise:
            summarise(arguments.summarise, arguments.trace)
        else:
            listen(arguments)
    except OSError as error:
        print(f"receive_spans: {error}", file=sys.stderr)
        return 1
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="where to listen; 0 takes any that is free")
    parser.add_argument("--out", metavar="FILE", help="where spans are added, instead of stdout")
    parser.add_argument("--raw", metavar="FILE", help="where each message is added as it came")
    parser.add_argument("--summarise", metavar="FILE", help="print the traces in a file, and listen to nothing")
    parser.add_argument("--trace", metavar="ID", help="of all traces in the file only this one")
    return parser.parse_args()


def listen(arguments):
    out = open(arguments.out, "a", encoding="utf-8") if arguments.out else sys.stdout
    raw = open(arguments.raw, "ab") if arguments.raw else None
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Receiver)
    server.record = Record(out, raw)
    # What asks the loop to end waits until it has ended, so it cannot be called from within.
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
    # The threads of open connections end with this process, but none in the middle of a line.
    server.record.lock.acquire()


class Record:
    """What has come in. Requests come side by side, lines go out one after the other."""

    def __init__(self, out, raw):
        self.out, self.raw = out, raw
        self.lock = threading.Lock()
        self.metrics = set()

    def keep(self, body):
        if self.raw:
            with self.lock:
                self.raw.write(body)
                self.raw.flush()

    def add_spans(self, request):
        lines = [json.dumps(span) + "\n" for span in spans_of(request)]
        with self.lock:
            self.out.writelines(lines)
            self.out.flush()

    def add_metrics(self, request):
        with self.lock:
            for name in metrics_of(request):
                if name not in self.metrics:
                    self.metrics.add(name)
                    print(f"metric {name}", file=sys.stderr, flush=True)


# By path: the message that comes, what becomes of it, and the message that answers.
SIGNALS = {
    "/v1/traces": (ExportTraceServiceRequest, Record.add_spans, ExportTraceServiceResponse),
    "/v1/metrics": (ExportMetricsServiceRequest, Record.add_metrics, ExportMetricsServiceResponse),
}


class Receiver(BaseHTTPRequestHandler):
    """One connection. Exporters keep theirs open."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdecimal():
            # Where the body ends is not known, and so not where the next request begins.
            self.close_connection = True
            return self.answer(411)
        body = self.rfile.read(int(length))
        if self.path not in SIGNALS:
            return self.answer(404)
        if self.headers.get_content_type() != PROTOBUF:
            return self.answer(415)
        message, add, response = SIGNALS[self.path]
        try:
            unpacked = self.unpacked(body)
            self.server.record.keep(unpacked)
            request = message.FromString(unpacked)
        except (DecodeError, OSError, EOFError, zlib.error) as error:
            print(f"refused {self.path}: {error}", file=sys.stderr, flush=True)
            return self.answer(400)
        add(self.server.record, request)
        return self.answer(200, response().SerializeToString())

    def unpacked(self, body):
        return gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("content-type", PROTOBUF)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_):
        """Every accepted request shows in the output."""


def spans_of(request):
    for resource_spans in request.resource_spans:
        resource = attributes_of(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield shown(span, resource)


def shown(span, resource):
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex() or None,
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        "service": resource.get("service.name"),
        "instance": resource.get("service.instance.id"),
        "start_ms": start / NANOS_PER_MILLI,
        "end_ms": end / NANOS_PER_MILLI,
        "duration_ms": (end - start) / NANOS_PER_MILLI,
        "attributes": attributes_of(span.attributes),
    }


def attributes_of(pairs):
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value):
    """A value of OTLP as one of JSON."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    if kind == "array_value":
        return [plain(one) for one in held.values]
    if kind == "kvlist_value":
        return attributes_of(held.values)
    return held.hex() if kind == "bytes_value" else held


def metrics_of(request):
    for resource_metrics in request.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                yield metric.name


def summarise(path, wanted):
    traces = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            span = json.loads(line)
            if wanted in (None, span["trace_id"]):
                traces.setdefault(span["trace_id"], []).append(span)
    for trace_id, spans in traces.items():
        print_trace(trace_id, sorted(spans, key=lambda span: span["start_ms"]))


def print_trace(trace_id, spans):
    by_id = {span["span_id"]: span for span in spans}
    began = spans[0]["start_ms"]
    took = max(span["end_ms"] for span in spans) - began
    print(f"trace {trace_id}: {len(spans)} spans in {took:.3f} ms")
    print(f"{'offset ms':>12} {'took ms':>12}  {'kind':<8}  span")
    for span in spans:
        offset = span["start_ms"] - began
        name = INDENT * depth(span, by_id) + span["name"] + remark(span, by_id)
        print(f"{offset:>12.3f} {span['duration_ms']:>12.3f}  {span['kind']:<8}  {name}")
    print()


def depth(span, by_id):
    """How many of its ancestors are known; a circle of parents is none."""
    seen = set()
    while span["parent_span_id"] in by_id and span["span_id"] not in seen:
        seen.add(span["span_id"])
        span = by_id[span["parent_span_id"]]
    return len(seen)


def remark(span, by_id):
    """A parent that was never sent may be the caller's, or lost."""
    parent = span["parent_span_id"]
    return "" if parent is None or parent in by_id else f" (its parent {parent} is not here)"


if __name__ == "__main__":
    sys.exit(main())
