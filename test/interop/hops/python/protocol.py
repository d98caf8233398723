"""The rules of docs/specification.md. Nothing here reads a clock or a socket. Times are milliseconds."""

import re
from urllib.parse import quote, unquote_to_bytes

TITLES = {
    "deadline-exceeded": (504, "Deadline exceeded"),
    "draining": (503, "Server draining"),
    "overloaded": (503, "Server overloaded"),
    "invalid-deadline": (400, "Invalid deadline"),
    "invalid-header": (400, "Invalid header"),
}
OUTCOMES = ("deadline-exceeded", "draining", "overloaded")


class Problem(Exception):
    """A request that is answered with a problem document."""

    def __init__(self, kind, **members):
        super().__init__(kind)
        self.kind, self.members = kind, members

    def response(self, started):
        """The status, the headers and the document of the answer."""
        status, title = TITLES[self.kind]
        headers = {"content-type": "application/problem+json", "cache-control": "no-store"}
        if self.kind in OUTCOMES:
            headers["throughline-outcome"] = f"{self.kind};started=?{int(started)}"
        document = {"type": f"urn:throughline:problem:{self.kind}", "title": title, "status": status, **self.members}
        return status, headers, document


def read_outcome(value):
    """What a service says of its response, and whether a handler had begun; None for any other response."""
    match = re.fullmatch(f"({'|'.join(OUTCOMES)});started=\\?([01])", value or "")
    return (match[1], match[2] == "1") if match else None


def may_repeat(method, status, outcome, has_key):
    """Whether a client may send the request again after this response."""
    if status not in (429, 502, 503, 504):
        return False
    kind, started = read_outcome(outcome) or (None, True)
    is_idempotent = has_key or method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "QUERY")
    return kind != "deadline-exceeded" and (is_idempotent or not started)


UNITS = {"H": 3_600_000, "M": 60_000, "S": 1_000, "m": 1, "u": 1e-3, "n": 1e-6}


def read_grpc(value):
    match = re.fullmatch("([0-9]{1,8})([HMSmun])", value)
    return int(match[1]) * UNITS[match[2]] if match else None


def write_grpc(ms):
    unit = next((each for each in "mSM" if ms // UNITS[each] <= 99_999_999), "H")
    return f"{min(int(ms // UNITS[unit]), 99_999_999)}{unit}"


def whole(digits):
    """The reader and the writer of whole milliseconds."""
    pattern = re.compile(f"[0-9]{{1,{digits}}}")
    return lambda value: int(value) if pattern.fullmatch(value) else None, lambda ms: str(min(int(ms), 10**digits - 1))


#: The deadline headers that a server reads, each with its reader and its writer.
DIALECTS = {
    "grpc-timeout": (read_grpc, write_grpc),
    "connect-timeout-ms": whole(10),
    "x-envoy-expected-rq-timeout-ms": whole(15),
}


def lines_of(headers, name):
    return [value for each, value in headers if each.lower() == name]


def receive_deadline(headers, *, default=None, most=None, least=1, ignore_invalid=False):
    """The time that a request may take, and what set it; (None, None) without a limit."""
    budget = source = invalid = None
    for name, (read, _) in DIALECTS.items():
        lines = lines_of(headers, name)
        ms = read(lines[0]) if len(lines) == 1 else None
        if lines and ms is None:
            invalid = invalid or name
        elif lines and (budget is None or ms < budget):
            budget, source = ms, f"{name} header"
    if invalid and not ignore_invalid:
        raise Problem("invalid-deadline", detail=f"Cannot read the header {invalid}")
    if budget is None and default is not None:
        budget, source = default, "defaultTimeout"
    if most is not None and (budget is None or most < budget):
        budget, source = most, "maxTimeout"
    if budget is not None and (budget <= 0 or budget < least):
        raise Problem("deadline-exceeded", budgetMs=int(budget + 0.5), elapsedMs=0, setBy=source)
    return budget, source


def send_deadline(left, margin, name="grpc-timeout"):
    """The deadline header of a request to another service; None if no such request may be sent."""
    if left is None:
        return {}
    ms = (left - margin) // 1
    return {name: DIALECTS[name][1](ms)} if ms >= 1 else None


def receive_criticality(headers, accept, trusted):
    lines = lines_of(headers, "throughline-criticality")
    value = lines[0] if len(lines) == 1 else None
    may_set = value == "sheddable" or trusted or accept == "any"
    return value if accept != "none" and may_set and value in ("critical", "sheddable") else "default"


def send_criticality(value):
    return {} if value == "default" else {"throughline-criticality": value}


PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))
SAFE = {"baggage": "!~*'()", "header": PRINTABLE.replace("%", "").replace(",", "")}
MEMBER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:([\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+)[ \t]*)?"
    r"(?:;[\t\x20-\x7e\x80-\xff]*)?"
)


def write_value(value, kind):
    return quote(value, safe=SAFE[kind])


def read_value(text, declared):
    if len(text) > declared["maxBytes"] or re.search("%(?![0-9A-Fa-f]{2})", text):
        return None
    try:
        value = unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return None
    is_sendable = value != "" or declared["as"] == "baggage"
    return value if is_sendable and len(write_value(value, declared["as"])) <= declared["maxBytes"] else None


def folded(name):
    """Equal for names that a gateway may confuse."""
    return re.sub("^http(?=.)", "", re.sub("[^a-z0-9]+", "", name.lower()))


def receive_values(headers, declared, trusted):
    """The values that the peer may set, and the headers that the application may see."""
    accepted = {each["name"]: each for each in declared if trusted or each["accept"] == "anyone"}
    by_folded = {folded(each["name"]): each["name"] for each in declared if each["as"] == "header"}
    bound, kept = {}, {}
    for name in dict.fromkeys(each.lower() for each, _ in headers):
        lines = lines_of(headers, name)
        known = by_folded.get(folded(name))
        if known is not None and (known != name or name not in accepted):
            continue
        kept[name] = ", ".join(lines)
        if known is not None:
            if len(lines) > 1 or "," in lines[0]:
                raise Problem("invalid-header", detail=f"Cannot read the header {name}: it must be sent once")
            bound[name] = read_value(lines[0], accepted[name])
    texts = kept.get("baggage", "").split(",")[:180] if len(kept.get("baggage", "")) <= 8192 else []
    members = [match for match in (MEMBER.fullmatch(text.strip(" \t")) for text in texts) if match]
    members = [match for match in members if accepted.get(match[1], {}).get("as") == "baggage"]
    for match in members:
        if sum(each[1] == match[1] for each in members) == 1:
            bound[match[1]] = read_value(match[2] or "", accepted[match[1]])
    if not trusted:
        kept["baggage"] = ",".join(match[0] for match in members)
    return (
        {name: value for name, value in bound.items() if value is not None},
        {name: value for name, value in kept.items() if name != "baggage" or value},
    )


def send_values(values, declared):
    """The headers of the values, for a destination that may receive them."""
    headers, members = {}, []
    for each in declared:
        if each["name"] in values:
            text = write_value(values[each["name"]], each["as"])
            if each["as"] == "header":
                headers[each["name"]] = text
            else:
                members.append(f"{each['name']}={text}")
    return {**headers, **({"baggage": ",".join(members)} if members else {})}


def read_message_deadline(value):
    """The deadline of a message, in milliseconds since the epoch; None if it is absent or malformed."""
    at = int(value) if value is not None and re.fullmatch("[0-9]{1,16}", value) else None
    return at if at is not None and at <= 8_640_000_000_000_000 else None


def write_message_deadline(at):
    return str(max(0, int(at)))


def message_left(value, now, most):
    """The time that the consumer of a message has; None without a limit, and 0 if the message must be dropped."""
    at = read_message_deadline(value)
    limits = [] if at is None else [max(0, at - now)]
    return min(limits + ([] if most is None else [most]), default=None)
