#!/usr/bin/env python3
"""Holds /openapi.json against the daemon, both ways.

    openapi.py STAGE URL SEEN [WITH]

STAGE: document   the document by itself, and the methods of each path
       answers    requests of all kinds; each answer must be as the document
                  says, and each bound of each member of a body as it says
       closed     at an API that is closed for registration, lets a user do
                  next to nothing, and locks out soon
       busy       while somebody holds the Idempotency-Key "busy" of the user
       useless    with an API key that has no scope left
       dark       what needs redis-low while that is away: 503
       down       the same operations while the database does not answer: 503
       coverage   was every status that the document names answered?
URL:   of an API. SEEN: a file that keeps what was answered, from stage to
stage. WITH: {"admin": TOKEN, "user": TOKEN, "key": API_KEY, "secret": FILE} as
the stage needs it. It prints a line for each check that does not hold, and ends
with 0 if all do.
"""
import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import itertools
import json
import os
import re
import sys
import time
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
        self.seen = seen  # {operationId: [status, "status media", header, ...]}
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

    def note(self, name, what):
        seen = self.seen.setdefault(name, [])
        if what not in seen:
            seen.append(what)

    def hold(self, method, path, status, got, text, what):
        name = self.doc.match(method, path)
        if not check("the document knows it", name is not None, what):
            return
        op = self.doc.operations[name][2]
        answers = op["responses"]
        if str(status) not in answers:
            check("status is in the document", status in (408, 417, 431, 500, 501, 505), what)
            return
        answer = self.doc.follow(answers[str(status)])
        media = got.get("Content-Type", "").split(";")[0]
        self.note(name, status)
        self.note(name, f"{status} {media}")
        for header in answer.get("headers", {}):
            if header in got:
                self.note(name, header)
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
        if media == "application/problem+json":
            kind = json.loads(text)["type"].removeprefix("urn:taskflow:problem:")
            check("problem is said", kind in op["x-problems"] or kind in OF_THE_PROCESS, f"{kind}: {what}")
            self.note(name, "!" + kind)
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


# Whatever is asked may be answered with these.
OF_THE_PROCESS = {"shutdown", "no-memory", "internal", "request-timeout"}
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
    if schema.get("format") in ("date-time", "uuid", "email"):
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
    if schema.get("type") == "boolean":
        yield from (True, False)


def check_bounds(client, name, token, base, apart=(), right=(200, 201, 202), skip_right=(), headers=None,
                 ident=None):
    """Each member of a body beyond and at its bounds. base: a body that is
    accepted, made anew by each call; apart: members that exclude each other."""
    method, path, op = client.doc.operations[name]
    path = fill(path, ident)
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
    """A new user, logged in."""
    name = "u" + unique()
    body = {"email": name + "@example.org", "username": name, "password": PASSWORD}
    client.call("POST", "/users", None, body, want=201)
    _, answer, _ = client.call("POST", "/login", None, {"username": name, "password": PASSWORD}, want=200)
    return name, answer["token"], answer["user_id"]


PASSWORD = "correct horse"


def check_access(client):
    name, token, _ = register(client)
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


def fill(path, ident=None):
    return path.replace("{id}", ident or str(uuid.uuid4())).replace("{queue}", "default")


def guarded(op):
    """Does nobody get in without credentials?"""
    return bool(op["security"]) and {} not in op["security"]


def check_credentials(client, admin):
    """None, bad ones, two at once; and paths that lead nowhere."""
    for _, (method, path, op) in client.doc.operations.items():
        if not guarded(op):
            continue
        target = fill(path)
        client.call(method, target, None, want=401)
        client.call(method, target, "nonsense", want=401)
        client.call(method, target, admin, headers={"X-API-Key": "tf_"}, want=400)
        if "{id}" in path:
            body = b"{}" if "requestBody" in op else None
            client.call(method, target, admin, body, want=404)
            client.call(method, fill(path, "x"), admin, body, want=404)


def make_key(client, token, scopes, **more):
    _, key, _ = client.call("POST", "/api-keys", token, {"name": "a key", "scopes": scopes, **more}, want=201)
    return key


def check_scopes(client, admin):
    """Each operation with a key that has another scope."""
    keys = {s: make_key(client, admin, [s])["key"] for s in ("tasks:read", "tasks:write", "keys", "admin")}
    for name, (method, path, op) in client.doc.operations.items():
        needs = {s for way in op["security"] for scopes in way.values() for s in scopes}
        if needs:
            other = next(s for s in keys if s not in needs)
            _, _, got = client.call(method, fill(path), keys[other], want=403)
            check("the scope is named", f'scope="{next(iter(needs))}"' in got["WWW-Authenticate"], name)
        elif guarded(op):
            for key in keys.values():
                client.call(method, fill(path), None, headers={"X-API-Key": key}, want=200)


def check_tasks(client, token, other):
    def draft():
        return {"type": "noop", "payload": 1}

    _, task, _ = client.call("POST", "/tasks", token, {"type": "echo", "payload": {"n": 1}},
                             {"Prefer": "wait=60"}, want=201)
    client.call("POST", "/tasks", token, SLEEP, {"Prefer": "wait=0"}, want=202)
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
    check_query(client, "listEvents", target + "/events", token)
    sse = {"Accept": "text/event-stream"}
    _, text, _ = client.call("GET", target + "/events", token, headers=sse, want=200)
    last = re.findall(rb"^id: (\d+)$", text, re.M)[-1].decode()
    client.call("GET", target + "/events", token, headers={**sse, "Last-Event-ID": last}, want=204)
    client.call("GET", target + "/events", token, headers={**sse, "Last-Event-ID": "x"}, want=422)


SLEEP = {"type": "sleep", "payload": {"ms": 600000}}
LATER = {"type": "noop", "delay_seconds": 3600}


def check_replays(client, token):
    for path, body in (("/tasks", SLEEP), ("/tasks/batch", {"tasks": [SLEEP]})):
        key = {"Idempotency-Key": unique()}
        client.call("POST", path, token, body, key, want=201)
        _, _, got = client.call("POST", path, token, body, key, want=201)
        check("a replay is named", got["Idempotent-Replayed"] == "true", path)
        client.call("POST", path, token, {}, key, want=422)
        client.call("POST", path, token, {"tasks": [LATER]} if "batch" in path else LATER, key, want=422)
        client.call("POST", path, token, body, {"Idempotency-Key": "a b"}, want=400)


def submitted(client, token, body):
    _, task, _ = client.call("POST", "/tasks", token, body, want=201)
    return "/tasks/" + task["id"]


def running(client, token):
    """A task that a worker has, and will have for long."""
    target = submitted(client, token, {**SLEEP, "priority": "high"})
    give_up = time.monotonic() + 60
    while client.call("GET", target, token, want=200)[1]["status"] != "IN_PROGRESS":
        if not check("a task is begun", time.monotonic() < give_up, target):
            break
        time.sleep(0.01)
    return target


def check_actions(client, token):
    status = None
    for _ in range(20):  # the worker may be faster than the look that follows the wish
        target = running(client, token)
        client.call("GET", target + "/explain", token, want=200)
        client.call("DELETE", target, token, want=409)
        client.call("POST", target + "/retry", token, want=409)
        status, _, _ = client.call("POST", target + "/cancel", token, want=(200, 202))
        client.call("POST", target + "/cancel", token, headers={"Prefer": "wait=60"}, want=200)
        if status == 202:
            break
    client.call("GET", target + "/explain", token, want=200)
    client.call("POST", target + "/retry", token, headers={"Prefer": "wait=0"}, want=202)
    client.call("POST", target + "/cancel", token, headers={"Prefer": "wait=60"}, want=200)
    target = submitted(client, token, LATER)
    client.call("GET", target + "/explain", token, want=200)
    client.call("POST", target + "/cancel", token, want=200)
    client.call("POST", target + "/retry", token, want=200)
    target = submitted(client, token, {"type": "noop"})
    client.call("GET", target, token, headers={"Prefer": "wait=60"}, want=200)
    client.call("POST", target + "/cancel", token, want=409)
    client.call("DELETE", target, token, want=204)
    client.call("GET", target, token, want=404)
    target = submitted(client, token, {"type": "noop", "queue": "nobody-serves-it"})
    _, why, _ = client.call("GET", target + "/explain", token, want=200)
    check("a list is shown", "list" in why, why)
    # Who has a unique_key is in the answer.
    target = submitted(client, token, {**LATER, "unique_key": "mine"})
    client.call("POST", target + "/cancel", token, want=200)
    holder = submitted(client, token, {**LATER, "unique_key": "mine"})
    client.call("POST", target + "/retry", token, want=409)
    _, held, _ = client.call("POST", "/tasks", token, {**LATER, "unique_key": "mine"}, want=409)
    check("the holder is named", held["task_id"] in holder, held)
    client.call("POST", "/tasks/batch", token, {"tasks": [{**LATER, "unique_key": "mine"}, LATER]}, want=200)


def check_retries(client, token):
    for _ in range(3):
        client.call("POST", submitted(client, token, LATER) + "/cancel", token, want=200)
    dry = {"status": "CANCELLED", "dry_run": True, "limit": 2}
    _, page, _ = client.call("POST", "/tasks/retry", token, dry, want=200)
    check("there is more", page["matched"] == 2 and page["has_more"], page)
    dry["cursor"] = page["next_cursor"]
    client.call("POST", "/tasks/retry", token, dry, want=200)
    _, done, _ = client.call("POST", "/tasks/retry", token, {"status": "CANCELLED", "limit": 1}, want=200)
    check("one was retried", done["retried"] == 1, done)
    check_bounds(client, "retryTasks", token, lambda: {"dry_run": True})


def check_keys(client, token):
    check_bounds(client, "createKey", token, lambda: {"name": "a", "scopes": ["keys"]})
    for key in client.call("GET", "/api-keys", token, want=200)[1]["items"]:
        client.call("DELETE", "/api-keys/" + key["id"], token, want=204)
        client.call("DELETE", "/api-keys/" + key["id"], token, want=404)
    client.call("POST", "/api-keys", token, {"name": "a", "scopes": ["admin"]}, want=403)
    for _ in range(100):
        make_key(client, token, ["tasks:read", "keys"], expires_in_days=None)
    client.call("POST", "/api-keys", token, {"name": "a", "scopes": ["keys"]}, want=409)


def stranger(token, secret_file):
    """A good token of a user who is not here."""
    def text(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=")

    head, claims = token.encode().split(b".")[:2]
    claims = json.loads(base64.urlsafe_b64decode(claims + b"=="))
    claims["sub"] = str(uuid.uuid4())
    signed = head + b"." + text(json.dumps(claims).encode())
    with open(secret_file, "rb") as f:
        secret = f.read().strip()
    return (signed + b"." + text(hmac.new(secret, signed, hashlib.sha256).digest())).decode()


def check_passwords(client, url):
    _, token, _ = register(client)
    check_bounds(client, "changePassword", token,
                 lambda: {"old_password": "wrong", "new_password": "battery staple"},
                 skip_right=("old_password", "new_password"))
    client.call("POST", "/users/me/password", token,
                {"old_password": "wrong", "new_password": "battery staple"}, want=403)

    def change(token, new):
        one = Client(url, client.doc, client.seen)
        return one.call("POST", "/users/me/password", token,
                        {"old_password": PASSWORD, "new_password": new}, want=(204, 401, 403, 409))[0]

    # Of several at once one is the first; whoever has read the old one, too, is told.
    for _ in range(20):
        _, token, _ = register(client)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            got = list(pool.map(change, itertools.repeat(token), (f"battery {i}" for i in range(4))))
        check("one change wins", got.count(204) == 1, got)
        if 409 in got:
            break


def check_accounts(client, admin, secret_file):
    _, token, ident = register(client)
    client.call("GET", "/users/me", token, want=200)
    client.call("GET", "/users/me", stranger(token, secret_file), want=404)
    _, me, _ = client.call("GET", "/users/me", admin, want=200)
    client.call("POST", f"/users/{me['id']}/disable", admin, want=409)
    client.call("POST", f"/users/{ident}/disable", admin, want=200)
    client.call("GET", "/users/me", token, want=401)
    client.call("POST", f"/users/{ident}/enable", admin, want=200)
    target = f"/users/{ident}/limits"
    client.call("GET", target, admin, want=200)
    for rate in ("1/s", "1000000/d burst 1000000", "60/min burst 1", "0", "off", None):
        client.call("PUT", target, admin, {"submit": rate, "read": rate}, want=200)
    for rate in ("1000001/d", "0/s", "1/s burst 1000001"):
        client.call("PUT", target, admin, {"read": rate}, want=422)
    check_bounds(client, "putLimits", admin, lambda: {"read": "off"}, skip_right=("submit", "read"), ident=ident)


def check_query(client, name, target, token):
    """Each parameter of a query, at its bounds and beyond; and one that is unknown."""
    client.call("GET", target + "?surprise=1", token, want=422)
    for p in client.doc.operations[name][2]["parameters"]:
        if p["in"] != "query":
            continue
        s = client.doc.strict(p["schema"])
        right = [v for v in right_values(s) if isinstance(v, (str, int))]
        wrong = [v for v in wrong_values(s) if isinstance(v, str) or s["type"] != "string"]
        if s["type"] == "integer":
            wrong = [v for v in wrong if isinstance(v, (int, float, str)) and not isinstance(v, bool)]
        for value in right:
            client.call("GET", f"{target}?{p['name']}={value}", token, want=200)
        for value in wrong:
            client.call("GET", f"{target}?{p['name']}={urllib.parse.quote(str(value))}", token, want=(400, 422))
        twice = f"{p['name']}={right[0] if right else 'a'}"
        client.call("GET", f"{target}?{twice}&{twice}", token, want=(400, 422))


def check_pages(client, token):
    """Both ways, by the cursors and by the links."""
    check_query(client, "listTasks", "/tasks", token)
    for status in ("PENDING,FAILED", "COMPLETED"):
        client.call("GET", "/tasks?status=" + status, token, want=200)
    _, page, _ = client.call("GET", "/tasks?limit=1", token, want=200)
    _, page, got = client.call("GET", "/tasks?limit=1&cursor=" + page["next_cursor"], token, want=200)
    links = dict(re.findall(r'<([^>]+)>; rel="(\w+)"', got["Link"]))
    check("both links are there", set(links.values()) == {"next", "prev"}, links)
    for target in links:
        client.call("GET", target, token, want=200)
    client.call("GET", "/tasks?limit=1&cursor=" + page["prev_cursor"], token, want=200)
    client.call("GET", "/tasks?cursor=nonsense", token, want=400)


def check_load(client, token):
    """Known as soon as a manager has counted what there is."""
    if "autoscaling" not in client.doc.operations:
        return
    give_up = time.monotonic() + 60
    while client.call("GET", "/autoscaling/default", token, want=(200, 503))[0] != 200:
        if not check("the load is known", time.monotonic() < give_up):
            break
        time.sleep(0.01)
    client.call("GET", "/autoscaling/a%20b", token, want=400)


def end_all(client, token):
    """Nothing of it is left that waits or runs."""
    live = "/tasks?limit=500&status=PENDING,QUEUED,IN_PROGRESS,RETRYING"
    while True:
        _, page, _ = client.call("GET", live, token, want=200)
        for task in page["items"]:
            client.call("POST", f"/tasks/{task['id']}/cancel", token, headers={"Prefer": "wait=60"}, want=(200, 409))
        if not page["items"]:
            break


def check_answers(client, url, given):
    admin = given["admin"]
    for probe in ("/livez", "/readyz", "/status", "/openapi.json"):
        client.call("GET", probe, want=200)
    token = check_access(client)
    _, other, _ = register(client)
    check_credentials(client, admin)
    check_scopes(client, admin)
    check_tasks(client, token, other)
    check_replays(client, other)
    check_actions(client, token)
    check_retries(client, other)
    check_pages(client, token)
    check_keys(client, other)
    check_accounts(client, admin, given["secret"])
    check_passwords(client, url)
    check_load(client, token)
    end_all(client, token)
    end_all(client, other)


def check_closed(client, admin, user):
    draft = {"email": unique() + "@example.org", "password": PASSWORD}
    client.call("POST", "/users", None, draft, want=403)
    client.call("POST", "/users", user, draft, want=403)
    client.call("POST", "/users", "nonsense", draft, want=401)
    client.call("POST", "/users", admin, draft, headers={"X-API-Key": "tf_"}, want=400)
    client.call("POST", "/users", admin, draft, want=201)
    for want in (401, 401, 429):
        client.call("POST", "/login", None, {**draft, "password": "wrong horse"}, want=want)
    _, _, got = client.call("GET", "/tasks", admin, want=200)
    check("limits are said", "RateLimit" in got and "RateLimit-Policy" in got, got)
    client.call("POST", "/tasks", admin, {"type": "noop"}, want=201)
    for method, path, op in client.doc.operations.values():
        if guarded(op) and "429" in op["responses"]:
            client.call(method, fill(path), admin, want=429)


def check_busy(client, user):
    for path, body in (("/tasks", LATER), ("/tasks/batch", {"tasks": [LATER]})):
        _, _, got = client.call("POST", path, user, body, {"Idempotency-Key": "busy"}, want=409)
        check("when to come again", "Retry-After" in got, path)


def check_down(client, url, admin):
    """While the database does not answer; all at once, for each waits for it."""
    def ask(name):
        method, path, op = client.doc.operations[name]
        body = None
        if "requestBody" in op:
            body = op["requestBody"]["content"]["application/json"]["example"]
        Client(url, client.doc, client.seen).call(
            method, fill(path), admin if guarded(op) else None, body, want=503)

    names = [n for n, (_, _, op) in client.doc.operations.items()
             if n not in NEEDS_NO_DATABASE and "503" in op["responses"]]
    with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(ask, names))


NEEDS_NO_DATABASE = {"livez", "readyz", "status", "openapi", "autoscaling"}
NEEDS_REDIS = {"autoscaling"}
# What no stage brings about, and why.
EXCUSED = {
    # A process that is full, or goes away: test_drain and test_flood see it.
    ("livez", "503"), ("readyz", "503"), ("status", "503"), ("openapi", "503"),
}
EXCUSED_PROBLEMS = {
    "overloaded",  # a queue that is full: test_flood
    "data",  # the database refuses what has passed our own checks: test_faults_batch
}
# Which of the two it is depends on how far the call had come.
AWAY = {"unavailable", "timeout"}


def check_coverage(client):
    """Every status, media type, header and problem of every operation was seen."""
    for name, (_, _, op) in client.doc.operations.items():
        seen = client.seen.get(name, [])
        for status, answer in op["responses"].items():
            if status == "default":
                continue
            if (name, status) in EXCUSED:
                check("what is excused is not answered", int(status) not in seen, f"{name} {status}")
                continue
            check("every status was answered", int(status) in seen, f"{name} {status}")
            for media in answer.get("content", {}):
                check("every media type was answered", f"{status} {media}" in seen, f"{name} {status} {media}")
            for header, said in answer.get("headers", {}).items():
                check("every header was answered", "$ref" in said or header in seen, f"{name} {status} {header}")
        for kind in set(op["x-problems"]) - EXCUSED_PROBLEMS:
            kinds = AWAY if kind in AWAY else {kind}
            if (name, "503") not in EXCUSED:
                check("every problem was answered", any("!" + k in seen for k in kinds), f"{name} {kind}")
    for name, status in EXCUSED:
        check("what is excused is said", status in client.doc.operations[name][2]["responses"], f"{name} {status}")


def main():
    stage, url, seen_file = sys.argv[1:4]
    given = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
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
        check_answers(client, url, given)
    elif stage == "closed":
        check_closed(client, given["admin"], given["user"])
    elif stage == "busy":
        check_busy(client, given["user"])
    elif stage == "useless":
        client.call("GET", "/users/me", given["key"], want=403)
    elif stage == "dark":
        for name in NEEDS_REDIS & set(client.doc.operations):
            method, path, _ = client.doc.operations[name]
            client.call(method, fill(path), given["user"], want=503)
    elif stage == "down":
        check_down(client, url, given["admin"])
    elif stage == "coverage":
        check_coverage(client)
    with open(seen_file, "w") as f:
        json.dump(seen, f)
    print(f"openapi: {stage}: {len(FAILED)} do not hold")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
