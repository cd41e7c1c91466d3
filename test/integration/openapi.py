#!/usr/bin/env python3
"""Holds /openapi.json against the daemon, both ways.

    openapi.py STAGE URL SEEN [ADMIN_TOKEN]

STAGE: document   the document by itself, and the methods of each path
       answers    requests of all kinds; each answer must be as the document
                  says, and each bound of each member of a body as it says
       down       the same operations while the database does not answer: 503
       coverage   was every status that the document names answered?
URL:   of an API. SEEN: a file that keeps what was answered, from stage to
stage. It prints a line for each check and ends with 0 if all hold.
"""
import base64
import datetime
import http.client
import json
import os
import re
import sys
import urllib.parse
import uuid

import jsonschema

FAILED = []


def check(name, holds, what=""):
    """Say it when it does not hold."""
    if not holds:
        FAILED.append(name)
        print(f"openapi: {name}: {what}", flush=True)
    return holds


# ---- the document -----------------------------------------------------------
class Document:
    def __init__(self, text):
        self.json = json.loads(text)
        self.operations = {}  # operationId -> (method, path, operation)
        for path, item in self.json["paths"].items():
            for method, op in item.items():
                self.operations[op["operationId"]] = (method.upper(), path, op)

    def follow(self, node):
        while isinstance(node, dict) and "$ref" in node:
            at = self.json
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part.replace("~1", "/").replace("~0", "~")]
            node = at
        return node

    def strict(self, schema, depth=0):
        """A schema whose objects have just the members that it names."""
        schema = self.follow(schema)
        if not isinstance(schema, dict) or depth > 12:
            return schema
        out = {k: v for k, v in schema.items()
               if k not in ("properties", "items", "oneOf")}
        if "properties" in schema:
            out["properties"] = {k: self.strict(v, depth + 1)
                                 for k, v in schema["properties"].items()}
            out.setdefault("additionalProperties", False)
        if "items" in schema:
            out["items"] = self.strict(schema["items"], depth + 1)
        if "oneOf" in schema:
            out["oneOf"] = [self.strict(s, depth + 1) for s in schema["oneOf"]]
        return out

    def match(self, method, path):
        """The operationId that serves it; None: none does."""
        best = None
        for name, (m, pattern, _) in self.operations.items():
            regex = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(pattern))
            if m == method and re.fullmatch(regex, path):
                if best is None or "{" not in pattern:
                    best = name
        return best


def all_nodes(node):
    yield node
    for child in (node.values() if isinstance(node, dict)
                  else node if isinstance(node, list) else ()):
        yield from all_nodes(child)


def check_document(doc):
    j = doc.json
    check("version", j["openapi"].startswith("3.1."), j["openapi"])
    ids = [op["operationId"] for item in j["paths"].values()
           for op in item.values()]
    check("operationIds are unique", len(ids) == len(set(ids)), ids)
    for node in all_nodes(j):
        if isinstance(node, dict) and "$ref" in node:
            try:
                doc.follow(node)
            except KeyError:
                check("references lead somewhere", False, node["$ref"])
    used = {n["$ref"] for n in all_nodes(j) if isinstance(n, dict) and "$ref" in n}
    for name, schema in j["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        ref = "#/components/schemas/" + name
        check("schemas are used", ref in used, name)
    for name, (method, path, op) in doc.operations.items():
        in_path = set(re.findall(r"\{(\w+)\}", path))
        said = {p["name"] for p in op["parameters"] if p["in"] == "path"}
        check("parameters of paths are said", in_path == said, f"{name} {said}")
        check("there is a good answer", any(s[0] in "23" for s in op["responses"]), name)
        check("GET has no body", method != "GET" or "requestBody" not in op, name)
        for node in all_nodes(op):
            if isinstance(node, dict) and isinstance(node.get("schema"), dict):
                jsonschema.Draft202012Validator.check_schema(node["schema"])
        if "requestBody" in op:
            media = op["requestBody"]["content"]["application/json"]
            if "example" in media:
                jsonschema.Draft202012Validator(doc.strict(media["schema"])).validate(media["example"])


# ---- requests ---------------------------------------------------------------
class Client:
    """Each answer is held against the document before it is returned."""

    def __init__(self, url, doc, seen):
        self.host = urllib.parse.urlsplit(url).netloc
        self.doc = doc
        self.seen = seen  # {operationId: [status, ...]}
        self.conn = None

    def raw(self, method, target, headers, body):
        for again in (False, True):
            if self.conn is None:
                self.conn = http.client.HTTPConnection(self.host, timeout=90)
            try:
                self.conn.request(method, target, body, headers,
                                  encode_chunked="Transfer-Encoding" in headers)
                r = self.conn.getresponse()
                return r.status, r.headers, r.read()
            except (http.client.HTTPException, OSError):
                self.conn.close()
                self.conn = None
                if again:
                    raise
        return None

    def call(self, method, target, token=None, body=None, headers=None, want=None):
        h = dict(headers or {})
        if token is not None:
            h.setdefault("Authorization", "Bearer " + token)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        if body is not None:
            h.setdefault("Content-Type", "application/json")
        status, got, text = self.raw(method, target, h, body)
        what = f"{method} {target} {str(body)[:80]}: {status} {text[:300]!r}"
        if want is not None:
            check("status is as expected", status in (want if isinstance(want, tuple) else (want,)),
                  f"{what}, not {want}")
        self.hold(method, target.split("?")[0], status, got, text, what)
        if "json" in got.get("Content-Type", "") and text:
            return status, json.loads(text), got
        return status, text, got

    def hold(self, method, path, status, got, text, what):
        name = self.doc.match(method, path)
        if not check("the document knows it", name is not None, what):
            return
        op = self.doc.operations[name][2]
        answers = op["responses"]
        if str(status) not in answers:
            check("status is in the document", status in (408, 417, 431, 500, 501, 505), what)
            return
        self.seen.setdefault(name, [])
        if status not in self.seen[name]:
            self.seen[name].append(status)
        answer = self.doc.follow(answers[str(status)])
        media = got.get("Content-Type", "").split(";")[0]
        content = answer.get("content")
        if not check("a body where one is said, and no other", bool(content) == bool(text), what):
            return
        # A batch of which all is refused answers 422 with its own shape.
        if content and media == "application/json" and media not in content:
            content = next((self.doc.follow(a)["content"] for s, a in answers.items()
                            if s[0] == "2" and "content" in self.doc.follow(a)), content)
        if content and check("media type is as said", media in content, f"{media}: {what}"):
            if "json" in media:
                self.fits(content[media]["schema"], json.loads(text), what)
        said = {h.lower() for h in answer.get("headers", {})}
        known = STANDARD_HEADERS | said
        for header in got.keys():
            check("headers are said", header.lower() in known, f"{header}: {what}")
        check("X-Request-Id", "X-Request-Id" in got, what)

    def fits(self, schema, value, what):
        validator = jsonschema.Draft202012Validator(
            self.doc.strict(schema), format_checker=FORMATS)
        for error in list(validator.iter_errors(value))[:3]:
            check("answer is of its shape", False, f"{error.json_path}: {error.message[:200]}: {what}")


STANDARD_HEADERS = {"content-type", "transfer-encoding", "content-length", "date", "connection", "cache-control",
                    "vary", "server", "x-content-type-options"}
FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("uuid")
def is_uuid(text):
    return not isinstance(text, str) or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


@FORMATS.checks("date-time")
def is_time(text):
    return not isinstance(text, str) or re.fullmatch(r"\d{4}(-\d\d){2}T\d\d:\d\d:\d\d(\.\d+)?Z", text) is not None


def check_methods(client):
    """Paths have the methods that the document says, and no others."""
    methods = {}
    for method, path, _ in client.doc.operations.values():
        methods.setdefault(path, set()).add(method)
    for path, want in methods.items():
        target = path.replace("{id}", str(uuid.uuid4())).replace("{queue}", "default")
        status, got, _ = client.raw("OPTIONS", target, {}, None)
        allow = set(re.split(r",\s*", got.get("Allow", "")))
        for other, more in list(methods.items()):  # /tasks/{id} serves /tasks/batch, too
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(other)), target):
                want = want | more
        want = want | ({"HEAD"} if "GET" in want else set()) | {"OPTIONS"}
        check("OPTIONS says what the document says", status == 204 and allow == want,
              f"{path}: {status} {allow}, not {want}")
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - want:
            status, got, _ = client.raw(method, target, {}, b"" if method != "GET" else None)
            check("other methods are refused", status == 405 and "Allow" in got,
                  f"{method} {path}: {status}")
    status, _, _ = client.raw("GET", "/nowhere", {}, None)
    check("other paths are not there", status == 404, status)


# ---- bodies, bound by bound -------------------------------------------------
def wrong_values(schema):
    """Values just beyond what a schema allows."""
    kinds = schema.get("type") if isinstance(schema, dict) else None
    kinds = [kinds] if isinstance(kinds, str) else list(kinds or [])
    samples = {"string": "x", "integer": 1, "number": 1.5, "boolean": True,
               "array": [], "object": {}, "null": None}
    for kind, value in samples.items():
        if kinds and kind not in kinds and not (kind == "integer" and "number" in kinds):
            yield value
    if "minLength" in schema and schema["minLength"] > 0:
        yield "a" * (schema["minLength"] - 1)
    if "maxLength" in schema:
        yield "a" * (schema["maxLength"] + 1)
    if "pattern" in schema:
        yield "white space"
    if "enum" in schema:
        yield "none-of-these"
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema:
        yield schema["maximum"] + 1
    if "integer" in kinds:
        yield 1.5
    if schema.get("format") == "date-time":
        yield "yesterday"
    if "maxItems" in schema:
        yield [0] * (schema["maxItems"] + 1)
    if schema.get("minItems", 0) > 0:
        yield []


def right_values(schema):
    """Values at the edges of what a schema allows."""
    if schema is True:
        yield from (None, 0, "", [], {}, 1e300)
        return
    if "enum" in schema:
        yield from schema["enum"]
    elif "maxLength" in schema and schema.get("format") is None:
        yield "a" * max(schema.get("minLength", 0), 1)
        yield "a" * schema["maxLength"]
    if "minimum" in schema:
        yield schema["minimum"]
    if "maximum" in schema:
        yield schema["maximum"]


def check_bounds(client, name, token, base, apart=(), right=(200, 201, 202), skip_right=(), headers=None):
    """Each member of a body beyond and at its bounds. base: a body that is
    accepted, made anew by each call; apart: members that exclude each other."""
    method, path, op = client.doc.operations[name]
    schema = client.doc.strict(op["requestBody"]["content"]["application/json"]["schema"])
    for member, s in schema["properties"].items():
        for value in wrong_values(s) if s is not True else ():
            body = {k: v for k, v in base().items() if (k, member) not in apart}
            body[member] = value
            status, answer, _ = client.call(method, path, token, body, headers, want=422)
            if status == 422 and "errors" in answer:
                pointer = answer["errors"][0]["pointer"]
                check("the fault points to the member", pointer.startswith("/" + member) or not pointer,
                      f"{name} {member}={str(value)[:60]!r}: {pointer!r}")
        for value in right_values(s) if member not in skip_right else ():
            body = {k: v for k, v in base().items() if (k, member) not in apart}
            body[member] = value
            client.call(method, path, token, body, headers, want=right)
    for member in schema["required"]:
        body = base()
        del body[member]
        client.call(method, path, token, body, headers, want=422)
    client.call(method, path, token, {**base(), "surprise": 1}, headers, want=422)
    client.call(method, path, token, b"{", headers, want=400)
    client.call(method, path, token, b"{}", {**(headers or {}), "Content-Type": "text/plain"}, want=415)
    client.call(method, path, token, b" " * (1 << 21), headers, want=413)
    client.call(method, path, token, iter([b"{}"]), {**(headers or {}), "Transfer-Encoding": "chunked"}, want=411)


# ---- the conversation -------------------------------------------------------
def unique():
    return uuid.uuid4().hex[:12]


def register(client):
    name = "u" + unique()
    body = {"email": name + "@example.org", "username": name, "password": "correct horse"}
    client.call("POST", "/users", None, body, want=201)
    _, answer, _ = client.call("POST", "/login", None,
                               {"username": name, "password": "correct horse"}, want=200)
    return name, answer["token"]


def check_access(client):
    name, token = register(client)
    client.call("POST", "/users", None,
                {"email": name + "@example.org", "password": "correct horse"}, want=409)
    client.call("POST", "/login", None, {"username": name, "password": "wrong"}, want=401)
    check_bounds(client, "register", None,
                 lambda: {"email": unique() + "@example.org", "password": "correct horse"},
                 skip_right=("email", "username"))
    check_bounds(client, "login", None,
                 lambda: {"username": name, "password": "correct horse"},
                 apart=(("username", "email"),), skip_right=("email", "username", "password"))
    return token


def check_tasks(client, token, other):
    def draft():
        return {"type": "noop", "payload": 1}

    nobody = str(uuid.uuid4())
    for name, (method, path, op) in client.doc.operations.items():
        if not op["security"]:
            continue
        target = path.replace("{id}", nobody).replace("{queue}", "default")
        client.call(method, target, None, want=401)
        client.call(method, target, "nonsense", want=401)
        if "{id}" in path and "tasks" in path:
            body = b"{}" if "requestBody" in op else None
            client.call(method, target, token, body, want=404)
            client.call(method, path.replace("{id}", "x"), token, body, want=404)
    _, task, _ = client.call("POST", "/tasks", token, {"type": "echo", "payload": {"n": 1}},
                             {"Prefer": "wait=60"}, want=201)
    client.call("POST", "/tasks", token, {"type": "sleep", "payload": {"ms": 60000}},
                {"Prefer": "wait=0"}, want=202)
    target = "/tasks/" + task["id"]
    _, _, headers = client.call("GET", target, token, want=200)
    client.call("GET", target, token, headers={"If-None-Match": headers["ETag"]}, want=304)
    client.call("GET", target, other, want=404)
    check_bounds(client, "submitTask", token, draft,
                 apart=(("delay_seconds", "scheduled_at"), ("scheduled_at", "delay_seconds")),
                 skip_right=("scheduled_at",))
    check_bounds(client, "submitTasks", token, lambda: {"tasks": [draft()]})
    client.call("POST", "/tasks/batch", token, {"tasks": [draft(), {}]}, want=200)
    client.call("POST", "/tasks/batch", token, {"tasks": [draft(), draft()]}, want=201)
    client.call("POST", "/tasks/batch", token, {"tasks": [{}]}, want=422)
    client.call("GET", target + "/events", token, want=200)
    client.call("GET", target + "/events?after=x", token, want=422)
    sse = {"Accept": "text/event-stream"}
    _, text, _ = client.call("GET", target + "/events", token, headers=sse, want=200)
    last = re.findall(rb"^id: (\d+)$", text, re.M)[-1].decode()
    client.call("GET", target + "/events", token, headers={**sse, "Last-Event-ID": last}, want=204)


def check_queries(client, token):
    """Each parameter of each query, at its bounds; and one that is unknown."""
    for name, (method, path, op) in client.doc.operations.items():
        query = [p for p in op["parameters"] if p["in"] == "query"]
        if not query or "{" in path:
            continue
        client.call(method, path + "?surprise=1", token, want=422)
        for p in query:
            s = client.doc.strict(p["schema"])
            for value in (v for v in right_values(s) if isinstance(v, (str, int))):
                client.call(method, f"{path}?{p['name']}={value}", token, want=200)
            for value in (v for v in wrong_values(s) if isinstance(v, (str, int, float)) and v is not True):
                if isinstance(value, str) and value == "x" and s.get("type") == "string":
                    continue
                client.call(method, f"{path}?{p['name']}={urllib.parse.quote(str(value))}", token,
                            want=(400, 422))
            target = f"{path}?{p['name']}=" + ("1" if s.get("type") == "integer" else "a")
            client.call(method, target + "&" + target.split("?")[1], token, want=422)


def check_answers(client, admin):
    for probe in ("/livez", "/readyz", "/status", "/openapi.json"):
        client.call("GET", probe, want=200)
    token = check_access(client)
    _, other = register(client)
    check_tasks(client, token, other)
    check_queries(client, token)


def check_down(client, token):
    """While the database does not answer."""
    for name, (method, path, op) in client.doc.operations.items():
        if name in NEEDS_NO_DATABASE or "503" not in op["responses"]:
            continue
        body = None
        if "requestBody" in op:
            body = op["requestBody"]["content"]["application/json"].get("example", {})
        target = path.replace("{id}", str(uuid.uuid4())).replace("{queue}", "default")
        client.call(method, target, token if op["security"] else None, body, want=503)


NEEDS_NO_DATABASE = {"livez", "readyz", "status", "openapi"}
# What no test brings about, and why.
EXCUSED = {
    ("livez", 400), ("readyz", 400), ("status", 400), ("openapi", 400),  # the guard alone says it
    ("livez", 503), ("readyz", 503), ("status", 503), ("openapi", 503),  # full queues, a stopped loop
}


def check_coverage(client):
    for name, (_, _, op) in client.doc.operations.items():
        for status in op["responses"]:
            if status == "default" or (name, int(status)) in EXCUSED:
                continue
            check("every status was answered", int(status) in client.seen.get(name, []), f"{name} {status}")


def main():
    stage, url, seen_file = sys.argv[1:4]
    extra = sys.argv[4] if len(sys.argv) > 4 else None
    seen = json.load(open(seen_file)) if os.path.exists(seen_file) else {}
    document = os.path.join(os.path.dirname(seen_file), "openapi.json")
    client = Client(url, None, seen)
    if stage == "document":
        status, _, text = client.raw("GET", "/openapi.json", {}, None)
        check("the document is there", status == 200, status)
        with open(document, "wb") as f:
            f.write(text)
    client.doc = Document(open(document).read())
    if stage == "document":
        check_document(client.doc)
        check_methods(client)
    elif stage == "answers":
        check_answers(client, extra)
    elif stage == "down":
        check_down(client, extra)
    elif stage == "coverage":
        check_coverage(client)
    with open(seen_file, "w") as f:
        json.dump(seen, f)
    print(f"openapi: {stage}: {len(FAILED)} do not hold")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
