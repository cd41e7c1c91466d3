"""One repetition: a new stack, the reference, and the parts in an order in which none spoils the next."""
import json
import signal
import socket
import subprocess
import sys
import time

import basic
import facts
import growth
import handlers
import procs
import report
import scale
import storm
from stack import COMPLETED, Stack, free_port

REFERENCE_SECONDS = 3
DRAIN_SECONDS = 600
SETTINGS = """concurrency = {concurrency}
jwt_ttl = 1d
[handler mark]
kind = process
concurrency = 1
command = {handler} {{mark}}
"""


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


class undisturbed:
    """Signals wait until cleaning up is over."""
    def __enter__(self):
        self.old = [(s, signal.signal(s, signal.SIG_IGN)) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]

    def __exit__(self, *_):
        for number, handler in self.old:
            signal.signal(number, handler)


def wait_for_port(port, server):
    for _ in range(200):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.02)
    raise RuntimeError("bare did not start")


class Bench:
    def __init__(self, options, tools, rep, rows):
        self.options, self.tools, self.rep, self.rows = options, tools, rep, rows
        self.stack = self.ref = None

    # ---- what the parts use ----

    def emit(self, row):
        self.rows.append(row)
        print(json.dumps(row), flush=True)

    def row(self, metric, value, unit, peer=report.US, **more):
        row = {"peer": peer, "metric": metric, "rep": self.rep, "value": round(value, 3), "unit": unit}
        if self.ref:
            row["ref"] = round(self.ref)
            if unit == "tasks/s":
                row["ratio"] = round(value / self.ref, 4)
        self.emit({**row, **more})

    def tool(self, name, *words):
        done = subprocess.run([self.tools[name], *map(str, words)], stdout=subprocess.PIPE, text=True)
        if not done.stdout:
            raise RuntimeError(f"{name} failed: {done.returncode}")
        return json.loads(done.stdout)

    def submit(self, *words, url=None):
        return self.all_answered("submit", "--url", url or self.stack.url, "--token", self.stack.token, *words)

    def get(self, *words):
        return self.all_answered("get", "--url", self.stack.url, "--token", self.stack.token, *words)

    def all_answered(self, *words):
        """Every request must have been accepted, or the figure is none."""
        got = self.tool("load", *words)
        if got["ok"] != got["sent"] or got["errors"]:
            raise RuntimeError(f"not all were accepted: {got}")
        return got

    def drain(self):
        """Until all tasks are done; gives back the most memory that worker-1 had."""
        deadline = time.monotonic() + DRAIN_SECONDS
        pid, peak = self.stack.pid("worker-1"), (0, 0, 0)
        while self.stack.queued() > 0:
            peak = max(peak, procs.memory(pid))
            time.sleep(0.1)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.stack.queued()} tasks are still queued")
        while self.stack.sql(f"SELECT EXISTS (SELECT FROM taskflow.tasks WHERE status <> {COMPLETED})") == "t":
            time.sleep(0.05)
            if time.monotonic() > deadline:
                raise RuntimeError("tasks are not done, and not queued either")
        return max(peak, procs.memory(pid))

    def first_to_last(self, n):
        """Seconds from the first start to the last end of the n tasks that there are."""
        done, seconds = self.stack.sql(
            "SELECT count(*), extract(epoch FROM max(finished_at) - min(started_at)) FROM taskflow.tasks "
            f"WHERE status = {COMPLETED}").split()
        if int(done) != n:
            raise RuntimeError(f"{done} of {n} tasks are COMPLETED")
        return float(seconds)

    def quiet(self):
        procs.quiet(self.options.quiet)

    # ---- all of it ----

    def reference(self):
        """What evhttp alone answers to the same POST."""
        port = free_port()
        server = subprocess.Popen([self.tools["bare"], str(port)])
        try:
            wait_for_port(port, server)
            self.quiet()
            got = self.tool("load", "submit", "--url", f"http://127.0.0.1:{port}", "--token", "x" * 200,
                            "--seconds", REFERENCE_SECONDS)
            cpu = procs.cpu([server.pid])
        finally:
            server.terminate()
            server.wait()
        self.ref = got["rate"]
        parts = {"server": cpu, "client": got["cpu_s"]}
        self.row("enqueue_c32", got["rate"], "tasks/s", peer=report.BARE, n=got["ok"], p50_us=got["p50_us"], p99_us=got["p99_us"],
                 cpu_s_per_10k={k: round(v * 1e4 / got["ok"], 3) for k, v in parts.items()},
                 cpu_s_per_10k_total=round(sum(parts.values()) * 1e4 / got["ok"], 3))

    def named(self, metrics):
        return self.options.only and any(o in metric for metric in metrics for o in self.options.only.split(","))

    def part(self, function, *metrics, wanted=True):
        """Metrics that are named are measured; if none are named, those that are wanted."""
        if not (self.named(metrics) if self.options.only else wanted):
            return
        say(f"rep {self.rep}: {metrics[0]}")
        self.quiet()
        function(self)

    def measure(self):
        first, everything = self.rep == 1, self.rep == 1 and self.options.all
        self.part(basic.idle, "idle", "rss_idle", "idle_cpu")
        self.part(basic.pickup, "pickup", "pickup_p50", "pickup_p99")
        self.part(basic.scheduled, "scheduled_lateness", "scheduled_lateness_p50", "scheduled_lateness_p99")
        self.stack.stop("worker-1")
        self.stack.forget_tasks()
        self.part(basic.enqueue_and_process, "enqueue_c32", "process")
        self.part(basic.keyed, "enqueue_keyed_c32")
        self.part(basic.latencies, "submit_latency", "submit_p50", "submit_p99", "submit_rate")
        self.part(basic.bulk, "enqueue_bulk100")
        self.part(scale.workers, "scale_workers", wanted=first)
        self.part(scale.apis, "scale_apis", wanted=first)
        self.part(handlers.run, "handlers", wanted=first)
        self.part(growth.queued, "growth_queued", wanted=first)
        self.part(growth.finished, "growth_finished", wanted=everything)
        self.part(storm.run, "storm", wanted=everything)

    def run(self):
        self.reference()
        settings = SETTINGS.format(concurrency=self.options.concurrency, handler=self.tools["handler"])
        self.stack = Stack(self.options.bin, settings + handlers.sections(self.tools["handler"]))
        try:
            self.stack.up()
            if self.rep == 1:
                self.emit({"peer": report.US, "about": facts.about(self.stack, self.options)})
            self.measure()
        finally:
            with undisturbed():
                self.stack.down()
