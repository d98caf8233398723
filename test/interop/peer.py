"""A client and a server with Python's grpcio: `serve`, or `call <address>`. Messages are JSON."""

import json
import sys
import threading
import time
from concurrent import futures

import grpc

METHOD = "/test.Echo/Unary"
ended = {}


def now():
    return time.time() * 1000


def echo(request, context):
    if request["op"] == "remaining":
        left = context.time_remaining()
        return {"remaining": None if left is None else left * 1000}
    if request["op"] == "ended":
        return {"at": ended.get(request["id"])}
    done = threading.Event()
    context.add_callback(lambda: (ended.__setitem__(request["id"], now()), done.set()))
    done.wait(20)
    return {}


def serve():
    handler = grpc.unary_unary_rpc_method_handler(
        echo, request_deserializer=json.loads, response_serializer=lambda reply: json.dumps(reply).encode()
    )
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Unary": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(json.dumps({"port": port}), flush=True)
    sys.stdin.read()
    server.stop(0)


def call(address):
    with grpc.insecure_channel(address) as channel:
        unary = channel.unary_unary(
            METHOD, request_serializer=lambda request: json.dumps(request).encode(), response_deserializer=json.loads
        )
        unary({"op": "remaining"})
        calls = []
        for _ in range(9):
            reply = unary({"op": "remaining"}, timeout=2)
            calls.append({"sent": reply["sent"], "seen": reply["remaining"]})
        waiting = unary.future({"op": "wait", "id": 1})
        time.sleep(0.1)
        canceled = now()
        waiting.cancel()
        time.sleep(0.2)
        seen = unary({"op": "ended", "id": 1})["at"]
        try:
            unary({"op": "wait", "id": 2}, timeout=0.1)
            code = 0
        except grpc.RpcError as error:
            code = error.code().value[0]
        print(json.dumps({"calls": calls, "canceled": canceled, "seen": seen, "code": code}), flush=True)


if sys.argv[1] == "serve":
    serve()
else:
    call(sys.argv[2])
