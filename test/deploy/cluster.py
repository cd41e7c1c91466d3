"""
A cluster without Kubernetes: real servers and daemons on this machine, started with the arguments, the
environment, the configurations and the secrets of the manifests. What a container sees under /etc is in a
folder of its own here, every port is a free one, and names of Services become 127.0.0.1: nothing else
differs. It stops everything that it started.
"""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import yaml

import harness
import manifests

PATIENCE = 90
PG_BIN = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))[-1]
ROOT = os.geteuid() == 0


def until(condition, what, patience=PATIENCE):
    """Wait for it; its value."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.05)


class Redis:
    """A connection that speaks RESP, for one user."""

    def __init__(self, port, user=None, password=None):
        self.file = socket.create_connection(("127.0.0.1", port), 10).makefile("rwb")
        if user:
            assert self("AUTH", user, password) == "OK"

    def __call__(self, *words):
        out = b"*%d\r\n" % len(words)
        for word in words:
            data = str(word).encode()
            out += b"$%d\r\n%s\r\n" % (len(data), data)
        self.file.write(out)
        self.file.flush()
        return self.reply()

    def reply(self):
        line = self.file.readline().decode().rstrip("\r\n")
        if not line:
            raise ConnectionError("Redis has closed the connection")
        kind, rest = line[0], line[1:]
        if kind == "-":
            return RuntimeError(rest)
        if kind == ":":
            return int(rest)
        if kind == "$":
            return None if rest == "-1" else self.file.read(int(rest) + 2)[:-2].decode()
        if kind == "*":
            return [self.reply() for _ in range(int(rest))]
        return rest


def free_ports(names):
    """Below the range of outgoing connections; bound for a moment to see that they are free."""
    ports, kept = {}, []
    for name in names:
        while name not in ports:
            port = 10000 + int.from_bytes(os.urandom(2), "big") % 20000
            s = socket.socket()
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                s.close()
                continue
            kept.append(s)
            ports[name] = port
    for s in kept:
        s.close()
    return ports


class Process:
    def __init__(self, cluster, name, argv, env, user, quiet=signal.SIGTERM):
        self.name, self.quiet = name, quiet
        self.log = cluster.dir / f"{name}.log"
        as_user = ["--reuid", user, "--regid", user, "--clear-groups"] if ROOT and user else []
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *as_user, "--", *map(str, argv)], cwd=cluster.dir,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **env}, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)

    def runs(self):
        return self.popen.poll() is None

    def stop(self, signo=None):
        """Ask it to end; its exit status."""
        if self.runs():
            self.popen.send_signal(signo or self.quiet)
        try:
            return self.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired as late:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.name} does not end:\n{self.tail()}") from late

    def tail(self):
        return self.log.read_text(errors="replace")[-3000:]


class Cluster:
    """with Cluster() as c: the servers run, and the database is migrated."""

    def __init__(self, more_conf=""):
        self.more_conf = more_conf
        self.processes = []
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="taskflow-cluster."))
        self.dir.chmod(0o755)
        self.bin = self.dir / "taskflowd"
        shutil.copy(harness.daemon(), self.bin)
        self.ports = free_ports(["taskflow-postgres", "taskflow-pgbouncer", "redis-high", "redis-low"])
        self.docs = manifests.load(harness.FLAT.read_text())
        self.workloads = {d["metadata"]["name"]: d for d in manifests.workloads(self.docs)}
        self.secrets = self.make_secrets()
        self.maps = {d["metadata"]["name"]: d["data"] for d in manifests.by_kind(self.docs, "ConfigMap")}

    def make_secrets(self):
        folder = self.dir / "secrets"
        harness.command(harness.KUBERNETES / "make-secrets", folder)
        rows = yaml.safe_load((folder / "kustomization.yaml").read_text())["secretGenerator"]
        result = {}
        for row in rows:
            for pair in row["files"]:
                key, _, file = pair.rpartition("=")
                result.setdefault(row["name"], {})[key or file] = (folder / file).read_text()
        return result

    # ---- what a container sees ----
    def translate(self, words, home, container):
        """Paths of mounts, and names of Services with their ports."""
        paths = sorted((m["mountPath"] for m in container["volumeMounts"]), key=len, reverse=True)
        words = re.sub(rf"(?<![\w/.-])({'|'.join(map(re.escape, paths))})(?![\w-])", rf"{home}\1", words)
        for name, port in self.ports.items():
            words = re.sub(rf"\b{name}:\d+", f"127.0.0.1:{port}", words)
            words = re.sub(rf"host={name} port=\d+", f"host=127.0.0.1 port={port}", words)
        return words

    def unpack(self, workload, home, container, user, local):
        """The volumes of a container, as files. local: what differs on this machine, as pairs of words."""
        volumes = {v["name"]: v for v in manifests.pod_spec(self.workloads[workload])["volumes"]}
        for mount in container["volumeMounts"]:
            place = pathlib.Path(f"{home}{mount['mountPath']}")
            place.mkdir(parents=True, exist_ok=True)
            v = volumes.get(mount["name"], {})
            source = (self.maps[v["configMap"]["name"]] if "configMap" in v else
                      self.secrets[v["secret"]["secretName"]] if "secret" in v else {})
            for item in (v.get("configMap") or v.get("secret") or {}).get("items", ()):
                text = self.translate(source[item["key"]], home, container)
                for old, new in local:
                    text = text.replace(old, new)
                (place / item["path"]).write_text(text)
                (place / item["path"]).chmod((v.get("configMap") or v["secret"]).get("defaultMode", 0o644))
        if ROOT and user:
            harness.command("chown", "-R", f"{user}:{user}", home)

    def container(self, workload, init=False):
        spec = manifests.pod_spec(self.workloads[workload])
        return spec["initContainers" if init else "containers"][0]

    def env_of(self, container, home):
        return {e["name"]: self.translate(e["value"], home, container) for e in container.get("env", ())}

    def args_of(self, container, home, local):
        return [local.get(a, self.translate(a, home, container)) for a in container["args"]]

    # ---- servers ----
    def start(self, name, argv, env=None, user=None, quiet=signal.SIGTERM):
        process = Process(self, name, argv, env or {}, user, quiet)
        self.processes.append(process)
        return process

    def start_redis(self, name):
        c, home = self.container(name), self.dir / name
        self.unpack(name, home, c, "65532", ())
        args = self.args_of(c, home, {"*": "127.0.0.1", "6379": str(self.ports[name])})
        return self.start(name, [*c["command"], *args], user="65532")

    def start_pgbouncer(self):
        name = "taskflow-pgbouncer"
        c, home = self.container(name), self.dir / name
        self.unpack(name, home, c, "65532", [("listen_addr = *", "listen_addr = 127.0.0.1"),
                                             ("listen_port = 6432", f"listen_port = {self.ports[name]}")])
        return self.start(name, ["pgbouncer", *self.args_of(c, home, {})], user="65532", quiet=signal.SIGINT)

    def start_postgres(self):
        """What the entry point of the image does with a new volume, and then the server."""
        name = "taskflow-postgres"
        c, home, port = self.container(name), self.dir / name, str(self.ports[name])
        user = "postgres" if ROOT else None
        self.unpack(name, home, c, user, ())
        env = self.env_of(c, home)
        run = f"{home}/var/run/postgresql"
        as_user = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--"] if user else []
        harness.command(*as_user, PG_BIN / "initdb", "-U", "postgres", "--no-sync",
                        f"--pwfile={env['POSTGRES_PASSWORD_FILE']}", *env["POSTGRES_INITDB_ARGS"].split(),
                        env={**os.environ, **env}, cwd=home)
        args = self.args_of(c, home, {"listen_addresses=*": "listen_addresses=127.0.0.1"})
        process = self.start(name, [PG_BIN / args[0], *args[1:], "-c", f"port={port}", "-c",
                                    f"unix_socket_directories={run}"], env, user, signal.SIGINT)
        more = {**os.environ, **env, "PGHOST": run, "PGPORT": port}
        until(lambda: subprocess.run([PG_BIN / "pg_isready", "-q"], env=more, check=False).returncode == 0,
              "PostgreSQL listens")
        for script in sorted(pathlib.Path(f"{home}/docker-entrypoint-initdb.d").iterdir()):
            harness.command("bash", script, env=more)
        return process

    def __enter__(self):
        try:
            self.start_postgres()
            self.start_redis("redis-high")
            self.start_redis("redis-low")
            self.start_pgbouncer()
            for name in ("taskflow-postgres", "redis-high", "redis-low", "taskflow-pgbouncer"):
                until(lambda n=name: self.probe(n, "readinessProbe"), f"{name} is ready")
            self.migrate()
        except BaseException:
            self.__exit__(AssertionError, None, None)
            raise
        return self

    def __exit__(self, kind, *_):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.popen.pid, signal.SIGKILL)
            process.popen.wait()
        if kind is not None and kind is not harness.Skipped:
            for process in self.processes:
                print(f"---- {process.name}\n{process.tail()}")
        shutil.rmtree(self.dir)

    # ---- daemons ----
    def daemon_home(self, role, instance):
        name = f"taskflow-{role}"
        home = self.dir / instance
        ports = free_ports([f"{instance}/http", f"{instance}/admin"])
        self.ports.update(ports)
        c = self.container(name)
        local = [("listen = :8080", f"listen = 127.0.0.1:{ports[instance + '/http']}"),
                 ("admin_listen = :9090", f"admin_listen = 127.0.0.1:{ports[instance + '/admin']}\n"
                  + self.more_conf)]
        self.unpack(name, home, c, "65532", local)
        return home

    def migrate(self):
        """The init container, to its end."""
        home = self.daemon_home("api", f"migrate-{len(self.processes)}")
        c = self.container("taskflow-api", init=True)
        process = self.start("migrate", [self.bin, *self.args_of(c, home, {})], self.env_of(c, home), "65532")
        code = process.popen.wait(PATIENCE)
        assert code == 0, process.tail()

    def start_role(self, role, instance=None):
        instance = instance or f"{role}-1"
        home = self.daemon_home(role, instance)
        c = self.container(f"taskflow-{role}")
        return self.start(instance, [self.bin, *self.args_of(c, home, {})], self.env_of(c, home), "65532")

    # ---- probes, as the node asks ----
    def probe(self, workload, which, instance=None):
        c = self.container(workload)
        probe = c[which]
        key = {"http": f"{instance}/http", "admin": f"{instance}/admin"}
        port = probe.get("httpGet", probe.get("tcpSocket", {})).get("port")
        port = self.ports.get(key.get(port, workload))
        if "httpGet" in probe:
            return get(port, probe["httpGet"]["path"])[0] == 200
        if "tcpSocket" in probe:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                return True
            return False
        argv = ["127.0.0.1" if a == "127.0.0.1" else str(self.ports[workload]) if a == "5432" else a
                for a in probe["exec"]["command"]]
        if argv[0] == "redis-cli":
            argv[1:1] = ["-p", str(self.ports[workload])]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env={
            **os.environ, "PATH": f"{os.environ['PATH']}:{PG_BIN}"})
        return done.returncode == 0

    def redis(self, name, user="taskflow"):
        secret = self.secrets["taskflow-keda"]
        password = (secret["password"] if user == "keda" else
                    re.search(r"taskflow:([^@]*)@", self.secrets["taskflow"]["redis-high-url"]).group(1))
        return Redis(self.ports[name], user, password)

    def psql(self, query):
        env = {**os.environ, "PGPASSWORD": self.secrets["taskflow-postgres"]["postgres-password"]}
        return harness.command(PG_BIN / "psql", "-X", "-qtA", "-h", "127.0.0.1", "-p",
                               self.ports["taskflow-postgres"], "-U", "postgres", "-d", "taskflow", "-c", query,
                               env=env).strip()


def get(port, path, token=None, body=None, headers=None):
    """A request: status and body; (0, "") if nobody is there."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        head = {"Content-Type": "application/json", **(headers or {})}
        if token:
            head["Authorization"] = f"Bearer {token}"
        c.request("POST" if body is not None else "GET", path, body and json.dumps(body), head)
        answer = c.getresponse()
        return answer.status, answer.read().decode()
    except OSError:
        return 0, ""
    finally:
        c.close()


def log_in(port):
    """A token of a new user."""
    who = {"email": f"u{base64.b32encode(os.urandom(5)).decode().lower()}@example.com",
           "password": "correct horse battery"}
    status, body = get(port, "/users", body=who)
    assert status == 201, body
    status, body = get(port, "/login", body=who)
    assert status == 200, body
    return json.loads(body)["token"]
