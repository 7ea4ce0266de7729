"""OTLP over gRPC, against a server in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import socket
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from support.otlp_requests import request, span
from support.otlp_signals import log_request, metric, metric_request, record
from support.serving import Serving

from tracium.server.access.principal import Principal
from tracium.server.access.protection import network
from tracium.server.client import fetch_usage
from tracium.server.commit import Committer
from tracium.server.grpc import GrpcAddress, GrpcReceiver
from tracium.server.intake import Intake, Limits
from tracium.server.scope import TenantScope
from tracium.server.timerange import TimeRange

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4()}"


@pytest.fixture
def channel(serving):
    with grpc.insecure_channel(serving.grpc_url.removeprefix("http://")) as opened:
        yield opened


def status(error):
    """The status with its details that a refused call has."""
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    return Status.FromString(details)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_the_exporter_of_opentelemetry(serving, tenant, compression):
    """What the SDK exports over gRPC, plain and compressed, is there when its export returns."""
    provider = TracerProvider(shutdown_on_exit=False)
    exporter = OTLPSpanExporter(serving.grpc_url, insecure=True, compression=compression)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("tests").start_as_current_span("GET /", attributes={"tenant.id": tenant}):
        pass
    provider.shutdown()
    now = datetime.now(UTC)
    last_hour = TimeRange(now - timedelta(hours=1), now + timedelta(hours=1))
    assert fetch_usage(serving.url, TenantScope.of(tenant), last_hour).tenants[0].traces == 1


def test_the_three_services(serving, tenant, channel):
    """Each signal has its service, and a full success is an empty answer."""
    answers = (
        TraceServiceStub(channel).Export(request(span(tenant))),
        LogsServiceStub(channel).Export(log_request(record(tenant))),
        MetricsServiceStub(channel).Export(metric_request(metric("m", "gauge", tenant=tenant, as_int=1))),
    )
    assert answers == (ExportTraceServiceResponse(), ExportLogsServiceResponse(), ExportMetricsServiceResponse())


def test_partial_success(tenant, channel):
    """What is good of a request is stored, and the rest is counted with the reason."""
    answer = LogsServiceStub(channel).Export(log_request(record(tenant), record(tenant, trace_id=b"12")))
    assert answer.partial_success.rejected_log_records == 1
    assert "has the trace id '3132', not 16 bytes or none" in answer.partial_success.error_message


def test_a_bad_request(channel):
    """Bytes that are no request are an invalid argument, which no client repeats, and the next request is answered."""
    for body in (b"\xff" * 20, request(span(trace_id=b"1")).SerializeToString()):
        with pytest.raises(grpc.RpcError) as refused:
            channel.unary_unary(EXPORT)(body)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert (status(refused.value).code, len(status(refused.value).details)) == (3, 0)
    assert TraceServiceStub(channel).Export(request(span())) == ExportTraceServiceResponse()


def test_an_unknown_service(channel):
    """A service that is none of OTLP's is said to be none."""
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary("/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export")(b"")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_that_is_too_long(channel, compression):
    """More bytes than are taken, also if they unfold from few, are refused for good: without a time to come back at."""
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(bytes(40 * 2**20), compression=compression)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "grpc-status-details-bin" not in dict(refused.value.trailing_metadata() or ())


def test_a_message_that_unfolds_to_any_size(serving, channel):
    """No more of it is unfolded than is taken: 400 MB of zeros, in 400 KB, need little memory."""
    before = peak(serving)
    with pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(EXPORT)(bytes(400 * 2**20), compression=grpc.Compression.Gzip)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert peak(serving) - before < 200 * 2**20


def peak(server):
    """The most memory, in bytes, that a server's process has had so far."""
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_a_token_is_wanted_here_too(tmp_path):
    """Where the store has a token, a call without one is unauthenticated; with one that reads it is not permitted."""
    with Serving(tmp_path) as server:
        admin = make_token(server, {"kind": "admin"})
        tokens = {kind: make_token(server, {"kind": kind}, admin) for kind in ("ingest", "read")}
        with grpc.insecure_channel(server.grpc_url.removeprefix("http://")) as opened:
            export = TraceServiceStub(opened).Export
            for metadata, code in (
                ((), grpc.StatusCode.UNAUTHENTICATED),
                ((("authorization", "Bearer wrong"),), grpc.StatusCode.UNAUTHENTICATED),
                # Of two, a proxy may have looked at the other one.
                (
                    (("authorization", "Bearer x"), ("authorization", f"Bearer {admin}")),
                    grpc.StatusCode.UNAUTHENTICATED,
                ),
                ((("authorization", f"Bearer {tokens['read']}"),), grpc.StatusCode.PERMISSION_DENIED),
            ):
                with pytest.raises(grpc.RpcError) as refused:
                    export(request(span()), metadata=metadata)
                assert refused.value.code() is code
            sent = export(request(span()), metadata=(("authorization", f"Bearer {tokens['ingest']}"),))
            assert sent == ExportTraceServiceResponse()


def make_token(server, told, token=""):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    status, _, answer = server.ask("POST", "/api/v1/tokens", json.dumps(told), headers)
    assert status == 201
    return json.loads(answer)["secret"]


@contextlib.asynccontextmanager
async def receiving(write, host="127.0.0.1", proxies=(), **limits):
    """A receiver in this process, whose store is `write`."""

    async def anybody(_metadata, _peer):
        return Principal.operator()

    committer = Committer(write)
    committer.start()
    receiver = GrpcReceiver(Intake(committer, Limits(**limits)), anybody, proxies)
    port = receiver.bind(GrpcAddress(host, 0), None)
    await receiver.start()
    try:
        async with grpc.aio.insecure_channel(f"{f'[{host}]' if ':' in host else host}:{port}") as opened:
            yield opened
    finally:
        await receiver.stop(1)
        await committer.close()


@pytest.mark.parametrize("limits", [{"waiting_bytes": 10}, {"requests": 0}])
async def test_overload(limits):
    """What there is no room for is unavailable, with the time to come back at."""
    async with receiving(lambda _batches: None, **limits) as opened:
        with pytest.raises(grpc.RpcError) as refused:
            await TraceServiceStub(opened).Export(request(span()))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    retry = RetryInfo()
    assert status(refused.value).details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_behind_a_proxy(host):
    """This machine is answered beside the proxy, by whichever protocol it comes."""
    async with receiving(lambda _batches: None, host, (network("10.0.0.0/8"),)) as opened:
        assert await TraceServiceStub(opened).Export(request(span())) == ExportTraceServiceResponse()


async def test_a_message_that_never_comes():
    """A call without its message is ended, and holds nothing back."""
    async with receiving(lambda _batches: None, body_seconds=0.05) as opened:
        call = opened.stream_unary(EXPORT)()
        with pytest.raises(grpc.RpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert await TraceServiceStub(opened).Export(request(span())) == ExportTraceServiceResponse()


async def test_a_call_that_is_cancelled():
    """What was read of it holds its place until it is written: cancelling gives nobody more than there is."""
    writing, go_on = threading.Event(), threading.Event()

    def write(_batches):
        writing.set()
        go_on.wait(10)

    async with receiving(write, requests=1) as opened:
        call = TraceServiceStub(opened).Export(request(span()))
        await asyncio.to_thread(writing.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(grpc.RpcError) as refused:
            await TraceServiceStub(opened).Export(request(span()))
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        go_on.set()


def serve(tmp_path, *options):
    return subprocess.run(
        [sys.executable, "-m", "tracium", "serve", "--data", str(tmp_path), "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_port_in_use(tmp_path):
    """One sentence names the address and the ways out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = serve(tmp_path, "--grpc-port", str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"tracium: cannot listen on 127.0.0.1:{port} for gRPC: Address already in use. Stop what uses it, choose another "
        "port with --grpc-port (0: any free one), or do without with --no-grpc.\n"
    )


def test_without_grpc(tmp_path):
    """Nothing is listened on, and the ready line says nothing of it."""
    with Serving(tmp_path, "--no-grpc") as server:
        assert server.grpc_url is None
        assert server.send(gzip.compress(b""), Content_Encoding="gzip")[0] == 200
        assert server.end() == 0
