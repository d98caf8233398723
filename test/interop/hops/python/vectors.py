"""Runs the vectors of a folder. Prints each failure, and then the counts as JSON."""

import json
import math
import pathlib
import sys

import protocol as p

folder = pathlib.Path(sys.argv[1])
counts = {"passed": 0, "failed": 0}


def load(name):
    return json.loads((folder / f"{name}.json").read_text("utf-8"))


def check(vector, received, wanted):
    is_number = isinstance(received, (int, float)) and isinstance(wanted, (int, float))
    if math.isclose(received, wanted, rel_tol=1e-9) if is_number else received == wanted:
        counts["passed"] += 1
    else:
        counts["failed"] += 1
        print(f"{vector}: received {received!r}", file=sys.stderr)


def receive(vector):
    server = vector.get("server", {})
    return p.receive_deadline(
        vector["headers"],
        default=server.get("defaultTimeoutMs"),
        most=server.get("maxTimeoutMs"),
        least=server.get("minBudgetMs", 1),
        ignore_invalid=server.get("invalidDeadline") == "ignore",
    )


def refusal(problem):
    status, headers, document = problem.response(False)
    named = {key: document[key] for key in ("type", "budgetMs", "setBy") if key in document}
    return {"status": status, "outcome": headers.get("throughline-outcome"), **named}


vectors = load("deadline-headers")
for each in vectors["read"]:
    check(each, p.DIALECTS[each["header"]][0](each["value"]), each["ms"])
for each in vectors["write"]:
    check(each, p.DIALECTS[each["header"]][1](each["ms"]), each["value"])

for each in load("requests"):
    try:
        budget, source = receive(each)
        check(each, {"budgetMs": budget, **({"setBy": source} if source else {})}, each["expect"])
    except p.Problem as problem:
        check(each, refusal(problem), each["expect"])

for each in load("forwarding"):
    budget, _ = receive(each)
    left = None if budget is None else budget - each["elapsedMs"]
    check(each, p.send_deadline(left, each["marginMs"], each.get("header", "grpc-timeout")), each["sent"])

for each in load("criticality"):
    bound = p.receive_criticality(each["headers"], each["accept"], each["trusted"])
    check(each, [bound, p.send_criticality(bound).get("throughline-criticality")], [each["bound"], each["sent"]])

vectors = load("values")
for each in vectors["written"]:
    check(each, p.write_value(each["value"], each["as"]), each["text"])
for each in vectors["requests"]:
    try:
        bound, kept = p.receive_values(each["headers"], vectors["declared"], each["trusted"])
        check(each, [bound, kept], [each.get("bound"), each.get("kept")])
    except p.Problem as problem:
        status, _, document = problem.response(False)
        check(each, [status, document["type"]], [each.get("status"), each.get("type")])

vectors = load("outcomes")
for each in vectors["read"]:
    wanted = (each["outcome"], each["started"]) if each["outcome"] else None
    check(each, p.read_outcome(each["value"]), wanted)
for each in vectors["problems"]:
    status, headers, document = p.Problem(each["problem"]).response(each["started"])
    received = [status, document["title"], document["type"], headers.get("throughline-outcome")]
    check(each, received, [each["status"], each["title"], f"urn:throughline:problem:{each['problem']}", each["outcome"]])
for each in vectors["retries"]:
    has_key = each.get("idempotencyKey", False)
    check(each, p.may_repeat(each["method"], each["status"], each["outcome"], has_key), each["retry"])

vectors = load("messages")
for each in vectors["read"]:
    check(each, p.read_message_deadline(each["value"]), each["at"])
for each in vectors["write"]:
    check(each, p.write_message_deadline(each["at"]), each["value"])
for each in vectors["consume"]:
    check(each, p.message_left(each["value"], each["nowMs"], each.get("maxTimeoutMs")), each["remainingMs"])

print(json.dumps(counts))
