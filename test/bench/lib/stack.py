"""A TaskFlow of our own: deploy/local/stack in a folder that goes away, and ways to ask its parts."""
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
import urllib.parse
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
STACK = os.path.join(TOP, "deploy/local/stack")
GROUPS = ("api", "manager", "worker", "postgres", "pgbouncer", "redis")
COMPLETED = 5
# What conf/ says is for the smallest server; this one has room, as those of the others that are measured.
PG_SETTINGS = "shared_buffers = 512MB\nmax_wal_size = 4GB\n"
PASSWORD = "benchmark of taskflow"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Stack:
    def __init__(self, binary, settings):
        self.top = tempfile.mkdtemp(prefix="taskflow-bench.")
        os.chmod(self.top, 0o755)
        self.dir = os.path.join(self.top, "stack")
        self.log = open(os.path.join(self.top, "log"), "w")
        self.mark = os.path.join(self.top, "mark")
        self.binary = binary
        self.settings = settings

    def up(self):
        conf = os.path.join(self.top, "bench.conf")
        with open(conf, "w") as f:
            f.write(self.settings.format(mark=self.mark))
        pg_conf = os.path.join(self.top, "postgresql.conf")
        with open(pg_conf, "w") as f:
            f.write(PG_SETTINGS)
        self.reset_mark()
        self.call("up", "--conf", conf, "--pg-conf", pg_conf, "--bin", self.binary, "--roles", "api=1 manager=1 worker=1")
        words = shlex.split(self.call("env"))
        self.env = dict(word.split("=", 1) for word in words)
        self.url = self.env["TASKFLOW_URL"]
        self.user, self.token = self.make_user()
        self.check()

    def call(self, command, *words):
        done = subprocess.run([STACK, command, "--dir", self.dir, *words], stdout=subprocess.PIPE, stderr=self.log,
                              text=True, start_new_session=True)
        if done.returncode:
            with open(self.log.name) as f:
                raise RuntimeError(f"stack {command} failed:\n{f.read()[-1500:]}")
        return done.stdout

    def down(self):
        """Also after a signal: nothing that we started may stay."""
        try:
            if os.path.isdir(self.dir):
                self.call("down")
        finally:
            self.log.close()
            shutil.rmtree(self.top, ignore_errors=True)

    def start(self, *names):
        """Several at once; each answers when this is over."""
        self.call_each("start", names)

    def stop(self, *names):
        self.call_each("stop", names)

    def call_each(self, command, names):
        pool = ThreadPoolExecutor(max_workers=4)
        try:
            list(pool.map(lambda name: self.call(command, name), names))
        finally:
            pool.shutdown(cancel_futures=True)

    def port(self, name):
        with open(os.path.join(self.dir, "ports")) as f:
            return int(dict(line.split() for line in f)[name])

    def pid(self, name):
        try:
            with open(os.path.join(self.dir, "run", name + ".pid")) as f:
                return int(f.read())
        except OSError:
            return None

    def groups(self):
        """What runs: group -> pids."""
        names = [f[:-4] for f in sorted(os.listdir(os.path.join(self.dir, "run"))) if f.endswith(".pid")]
        found = {group: [self.pid(name) for name in names if name.split("-")[0] == group] for group in GROUPS}
        return {group: pids for group, pids in found.items() if pids}

    # ---- HTTP ----

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            return json.load(answer)

    def make_user(self):
        user = {"username": "bench", "email": "bench@example.org", "password": PASSWORD}
        self.post("/users", user)
        login = self.post("/login", {"username": "bench", "password": PASSWORD})
        return login["user_id"], login["token"]

    # ---- PostgreSQL and Redis ----

    def sql(self, text, user="taskflow"):
        """One statement, without a limit of time."""
        url = urllib.parse.urlsplit(self.env["TASKFLOW_PG_DIRECT_URL"])
        with open(os.path.join(self.dir, "etc", f"{user}.password")) as f:
            env = dict(os.environ, PGHOST=url.hostname, PGPORT=str(url.port), PGUSER=user, PGPASSWORD=f.read(),
                       PGDATABASE=url.path[1:], PGOPTIONS="-c statement_timeout=0")
        done = subprocess.run(["psql", "-XqAt", "-F", " ", "-c", text], env=env, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def redis(self, which, *words, feed=None):
        url = urllib.parse.urlsplit(self.env[f"TASKFLOW_REDIS_{which}_URL"])
        env = dict(os.environ, REDISCLI_AUTH=url.password)
        done = subprocess.run(["redis-cli", "-h", url.hostname, "-p", str(url.port), *words], env=env, input=feed,
                              capture_output=True, text=True)
        return done.stdout.strip()

    def redis_info(self, which, name):
        return int(re.search(rf"^{name}:(\d+)", self.redis(which, "INFO", "everything"), re.M)[1])

    def check(self):
        """What makes the figures honest: everything is as durable as in production."""
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            if self.sql(f"SHOW {name}") != "on":
                raise RuntimeError(f"PostgreSQL has {name} off")
        for which in ("HIGH", "LOW"):
            got = self.redis(which, "CONFIG", "GET", "appendonly") + self.redis(which, "CONFIG", "GET", "appendfsync")
            if "yes" not in got or "everysec" not in got:
                raise RuntimeError(f"Redis {which} has no AOF everysec: {got}")
        pooled, direct = (self.env[f"TASKFLOW_PG_{name}"] for name in ("URL", "DIRECT_URL"))
        if pooled == direct:
            raise RuntimeError("PgBouncer is not in the path")

    # ---- tasks ----

    def queued(self, queue="default"):
        return sum(int(self.redis(which, "LLEN", f"taskflow:queue:{queue}")) for which in ("HIGH", "LOW"))

    def forget_tasks(self):
        """An empty system again, as fast as a new one."""
        self.sql("TRUNCATE taskflow.tasks, taskflow.task_events")
        self.tidy()
        for which in ("HIGH", "LOW"):
            self.redis(which, "DEL", "taskflow:queue:default")

    def tidy(self):
        """What autovacuum and the checkpointer would do in the next minutes: not while something is measured."""
        self.sql("VACUUM ANALYZE", user="postgres")
        self.sql("CHECKPOINT", user="postgres")

    def reset_mark(self):
        open(self.mark, "w").close()
        os.chmod(self.mark, 0o666)

    def marks(self, n, limit):
        """The first n values that the handler has written, in ns."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            with open(self.mark) as f:
                values = [int(line) for line in f.read().splitlines()]
            if len(values) >= n:
                return sorted(values[:n])
            time.sleep(0.1)
        raise RuntimeError(f"{len(values)} of {n} tasks ran in {limit} s")
