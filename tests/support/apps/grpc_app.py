"""A gRPC server and a client of it, sync or aio, in one process; what the server saw is printed as JSON.

Arguments: `sync` or `aio`; with a second one, `serve`, it prints its port and serves until it reads a line. The target
`HOST:1` of any name leads to the server through a proxy, as to a public host.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import threading
from concurrent import futures

import grpc
from opentelemetry import trace

import tracium

seen = []
SETS = ("x-set", "1")
# From 8 KiB of metadata on, gRPC refuses calls at random.
ROOM = [("grpc.max_metadata_size", 32768)]


def note(context):
    metadata = [(name, value) for name, value in context.invocation_metadata() if name != "user-agent"]
    begun = tracium.get_current_tenant()
    if SETS in metadata:
        tracium.set_tenant("set-inside")
    with trace.get_tracer("app").start_as_current_span("inside"):
        pass
    seen.append({"metadata": metadata, "tenant": begun, "after": tracium.get_current_tenant()})
    return b"%d" % len(seen)


def one(request, context):
    if request == b"fail":
        note(context)
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
    return note(context)


def one_of_many(requests, context):
    list(requests)
    return note(context)


def many(request, context):
    for _ in range(3):
        yield note(context)


def many_of_many(requests, context):
    for _ in requests:
        yield note(context)


async def aio_one(request, context):
    if request == b"fail":
        note(context)
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no")
    await asyncio.sleep(0)
    return note(context)


async def aio_one_of_many(requests, context):
    async for _ in requests:
        pass
    return note(context)


async def aio_many(request, context):
    for _ in range(3):
        yield note(context)


async def aio_many_of_many(requests, context):
    async for _ in requests:
        yield note(context)


async def aio_written(request, context):
    for _ in range(3):
        await context.write(note(context))


def handlers(prefix=""):
    found = globals()
    return grpc.method_handlers_generic_handler(
        "app.Service",
        {
            "One": grpc.unary_unary_rpc_method_handler(found[f"{prefix}one"]),
            "OneOfMany": grpc.stream_unary_rpc_method_handler(found[f"{prefix}one_of_many"]),
            "Many": grpc.unary_stream_rpc_method_handler(found[f"{prefix}many"]),
            "Written": grpc.unary_stream_rpc_method_handler(found.get(f"{prefix}written") or many),
            "PlainOne": grpc.unary_unary_rpc_method_handler(one),
            "PlainMany": grpc.unary_stream_rpc_method_handler(many),
            "ManyOfMany": grpc.stream_stream_rpc_method_handler(found[f"{prefix}many_of_many"]),
        },
    )


def pipe(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    finally:
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def proxy(to):
    """An HTTP proxy that leads every CONNECT to one port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            client, _ = listener.accept()
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            upstream = socket.create_connection(("127.0.0.1", to))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=pipe, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    os.environ["http_proxy"] = f"http://127.0.0.1:{listener.getsockname()[1]}"


def calls(channel):
    """One call of each kind, as (name, function)."""
    return {
        "one": channel.unary_unary("/app.Service/One"),
        "one_of_many": channel.stream_unary("/app.Service/OneOfMany"),
        "many": channel.unary_stream("/app.Service/Many"),
        "written": channel.unary_stream("/app.Service/Written"),
        "many_of_many": channel.stream_stream("/app.Service/ManyOfMany"),
    }


def call_all(channel, metadata=None):
    by_name = calls(channel)
    by_name["one"](b"x", metadata=metadata)
    by_name["one"].with_call(b"x", metadata=metadata)
    by_name["one"].future(b"x", metadata=metadata).result()
    by_name["one_of_many"](iter([b"x"]), metadata=metadata)
    list(by_name["many"](b"x", metadata=metadata))
    list(by_name["many_of_many"](iter([b"x"]), metadata=metadata))


async def call_all_aio(channel, metadata=None):
    by_name = calls(channel)
    await by_name["one"](b"x", metadata=metadata)
    await by_name["one_of_many"](iter([b"x"]), metadata=metadata)
    [each async for each in by_name["many"](b"x", metadata=metadata)]
    [each async for each in by_name["many_of_many"](iter([b"x"]), metadata=metadata)]


def taken():
    told = list(seen)
    seen.clear()
    return told


def serve_sync():
    server = grpc.server(futures.ThreadPoolExecutor(1), (handlers(),), options=ROOM)
    sys.stdout.write(f"{server.add_insecure_port('127.0.0.1:0')}\n")
    sys.stdout.flush()
    server.start()
    sys.stdin.readline()
    server.stop(None).wait()


async def serve_aio():
    server = grpc.aio.server(options=ROOM)
    server.add_generic_rpc_handlers((handlers("aio_"),))
    sys.stdout.write(f"{server.add_insecure_port('127.0.0.1:0')}\n")
    sys.stdout.flush()
    await server.start()
    await asyncio.to_thread(sys.stdin.readline)
    await server.stop(None)


def main_sync(told):
    with tracium.tenant("server-start"):
        server = grpc.server(futures.ThreadPoolExecutor(1), (handlers(),), ())
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
    proxy(port)
    inside = grpc.insecure_channel(f"localhost:{port}")
    outside = grpc.insecure_channel("api.example.com:1")
    given = [("x-mine", "1"), ("baggage", "color=blue,tenant.id=hand-made")]
    for name, channel in (("inside", inside), ("outside", outside)):
        with tracium.tenant("acmé+ 1"):
            call_all(channel)
        told[name] = taken()
        with tracium.tenant("acmé+ 1"):
            call_all(channel, given)
        told[f"{name} given"] = taken()
    told["unchanged"] = given == [("x-mine", "1"), ("baggage", "color=blue,tenant.id=hand-made")]
    call_all(inside)
    told["nobody"] = taken()
    call_all(inside, [SETS])
    try:
        calls(inside)["one"](b"fail", metadata=[SETS])
    except grpc.RpcError as error:
        told["error"] = [error.code().name, error.details()]
    told["set"] = taken()
    # A stream that nobody reads to its end.
    with tracium.tenant("acme"):
        stream = calls(inside)["many"](b"x")
    told["lazy"] = [next(stream).decode(), tracium.get_current_tenant(), trace.get_current_span().is_recording()]
    list(stream)
    told["lazy tenant"] = taken()
    call_all(inside)
    told["nobody after"] = taken()
    inside.close()
    outside.close()
    server.stop(None).wait()


async def call_plain(channel):
    await channel.unary_unary("/app.Service/PlainOne")(b"x")
    [each async for each in channel.unary_stream("/app.Service/PlainMany")(b"x")]


async def main_aio(told):
    with tracium.tenant("server-start"):
        server = grpc.aio.server(interceptors=())
        server.add_generic_rpc_handlers((handlers("aio_"),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
    proxy(port)
    inside = grpc.aio.insecure_channel(f"dns:///localhost:{port}")
    outside = grpc.aio.insecure_channel("api.example.com:1")
    given = grpc.aio.Metadata(("x-mine", "1"), ("baggage", "color=blue,tenant.id=hand-made"))
    for name, channel in (("inside", inside), ("outside", outside)):
        with tracium.tenant("acmé+ 1"):
            await call_all_aio(channel)
        told[name] = taken()
        with tracium.tenant("acmé+ 1"):
            await call_all_aio(channel, given)
        told[f"{name} given"] = taken()
    with tracium.tenant("acme"):
        told["written"] = [each.decode() async for each in calls(inside)["written"](b"x")]
        await call_plain(inside)
    told["written tenant"] = taken()
    told["unchanged"] = list(given) == [("x-mine", "1"), ("baggage", "color=blue,tenant.id=hand-made")]
    await call_all_aio(inside)
    told["nobody"] = taken()
    await call_all_aio(inside, (SETS,))
    try:
        await calls(inside)["one"](b"fail", metadata=(SETS,))
    except grpc.RpcError as error:
        told["error"] = [error.code().name, error.details()]
    told["set"] = taken()
    await call_all_aio(inside)
    told["nobody after"] = taken()
    await inside.close()
    await outside.close()
    await server.stop(None)


if __name__ == "__main__":
    tracium.trace()
    result = {}
    if sys.argv[2:] == ["serve"]:
        serve_sync() if sys.argv[1] == "sync" else asyncio.run(serve_aio())
        result["served"] = taken()
    elif sys.argv[1] == "sync":
        main_sync(result)
    else:
        asyncio.run(main_aio(result))
    sys.stdout.write(json.dumps(result))
    tracium.shutdown()
