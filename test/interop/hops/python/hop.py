"""A service that calls the next one: `hop.py <url of the next> <margin in ms> [<largest timeout in ms>]`."""

import json
import re
import secrets
import select
import socket
import sys
import threading
import time
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import protocol as p

NEXT, MARGIN = urlsplit(sys.argv[1]).netloc, float(sys.argv[2])
MOST = float(sys.argv[3]) if len(sys.argv) > 3 else None
TRUSTED = {"127.0.0.1"}
DECLARED = [{"name": "tenant", "as": "baggage", "accept": "trusted", "maxBytes": 64}]



def now():
    return time.monotonic() * 1000


class ClientLeft(Exception):
    pass


class Hop(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        arrived, started, lines = now(), False, self.headers.items()
        try:
            budget, source = p.receive_deadline(lines, most=MOST)
            trusted = self.client_address[0] in TRUSTED
            values, _ = p.receive_values(lines, DECLARED, trusted)
            level = p.receive_criticality(lines, "lower", trusted)
            started = True
            trace = re.fullmatch("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", self.headers.get("traceparent", ""))
            trace_id, parent, flags = trace.groups() if trace else (secrets.token_hex(16), None, "02")
            own = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"}
            own |= p.send_criticality(level) | p.send_values(values, DECLARED)
            expired = p.Problem("deadline-exceeded", budgetMs=round(budget or 0), setBy=source)
            called = self.call(None if budget is None else arrived + budget, own, expired)
            seen = {"service": "Python", "budgetMs": budget, "setBy": source, "traceId": trace_id, "parent": parent}
            seen |= {"criticality": level, "tenant": values.get("tenant"), "next": called}
            self.answer(200 if called["status"] == 200 else 502, {}, seen)
        except p.Problem as problem:
            self.answer(*problem.response(started))
        except ClientLeft:
            self.close_connection = True
        except OSError as error:
            self.answer(502, {}, {"service": "Python", "error": str(error)})

    def call(self, deadline, headers, expired):
        """Calls the next service, and stops when the deadline passes or when the client leaves."""
        remaining = None if deadline is None else deadline - now()
        sent = p.send_deadline(remaining, MARGIN)
        if sent is None:
            raise expired
        connection = HTTPConnection(NEXT, timeout=None if remaining is None else remaining / 1000)
        try:
            connection.request("GET", self.path, headers=headers | sent)
            wait = None if deadline is None else max(0, deadline - now()) / 1000
            ready, _, _ = select.select([connection.sock, self.connection], [], [], wait)
            if not ready:
                raise expired
            if self.connection in ready and not self.connection.recv(1, socket.MSG_PEEK):
                raise ClientLeft
            response = connection.getresponse()
            outcome, body = response.getheader("throughline-outcome"), response.read().decode()
            return {"status": response.status, "outcome": outcome, "body": json.loads(body) if body else None}
        except TimeoutError:
            raise expired from None
        finally:
            connection.close()  # the next service notices that its client has left

    def answer(self, status, headers, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in ({"content-type": "application/json", "content-length": len(body)} | headers).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Hop)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port}), flush=True)
sys.stdin.read()
