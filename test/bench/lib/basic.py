"""What one task costs: memory and CPU of nothing, latencies, and the rates of one worker and one API."""
import datetime
import random
import sys
import time

import procs
from client import Client, task

LATENCY_CONNECTIONS = (1, 8, 32, 128, 512)
PICKUP_SAMPLES = 200
SCHEDULED_SAMPLES = 300


def percentile(values, percent):
    return values[min(len(values) - 1, int(len(values) * percent / 100))]


def idle(bench):
    """Memory and CPU of each part while nothing happens."""
    groups, seconds = bench.stack.groups(), bench.options.idle_seconds
    time.sleep(4)
    before = {name: procs.cpu(pids) for name, pids in groups.items()}
    time.sleep(seconds)
    for name, pids in groups.items():
        used = procs.cpu(pids) - before[name]
        bench.row(f"{name}_idle_cpu", used / seconds * 100, "% of a core", s=seconds)
        sizes = [procs.memory(pid) for pid in pids]
        bench.row(f"{name}_rss_idle", sum(s[0] for s in sizes), "MiB", pss=round(sum(s[1] for s in sizes), 2),
                  processes=sum(s[2] for s in sizes))


def pickup(bench):
    """From the POST being sent to the handler (a process that is already there) having read its task."""
    client = Client(bench.stack)
    client.post(task("mark", t0=time.time_ns()))
    bench.stack.marks(1, 20)
    bench.stack.reset_mark()
    for _ in range(PICKUP_SAMPLES):
        time.sleep(random.uniform(0.010, 0.030))
        client.post(task("mark", t0=time.time_ns()))
    values = [v / 1e3 for v in bench.stack.marks(PICKUP_SAMPLES, 20)]
    how = "POST sent to handler of kind process (a small C program) has read the task; the same clock"
    bench.row("pickup_p50", percentile(values, 50), "us", n=len(values), how=how)
    bench.row("pickup_p99", percentile(values, 99), "us", n=len(values), max=values[-1], min=values[0], how=how)


def scheduled(bench):
    """From the time a task was to start at to its handler having read it."""
    client = Client(bench.stack)
    bench.stack.reset_mark()
    for _ in range(SCHEDULED_SAMPLES):
        at_ms = int((time.time() + random.uniform(3, 6)) * 1e3)
        text = datetime.datetime.fromtimestamp(at_ms / 1e3, datetime.timezone.utc).isoformat(timespec="milliseconds")
        client.post(task("mark", t0=at_ms * 1000000, scheduled_at=text.replace("+00:00", "Z")))
    values = [v / 1e6 for v in bench.stack.marks(SCHEDULED_SAMPLES, 30)]
    bench.row("scheduled_lateness_p50", percentile(values, 50), "ms", n=len(values))
    bench.row("scheduled_lateness_p99", percentile(values, 99), "ms", n=len(values), max=values[-1], min=values[0])


def enqueue_and_process(bench):
    """Added one by one without a worker; then a worker starts and drains them."""
    n = bench.options.n
    span = procs.Span(bench.stack.groups())
    got = bench.submit("--count", n, "--connections", 32)
    bench.row("enqueue_c32", got["rate"], "tasks/s", n=n, s=round(got["seconds"], 2), p50_us=got["p50_us"],
              p99_us=got["p99_us"], **span.stop(n, client=got["cpu_s"]))
    bench.quiet()
    process(bench, n)
    bench.stack.stop("worker-1")
    bench.stack.forget_tasks()


def keyed(bench):
    """The same, each with an Idempotency-Key of its own; no worker runs."""
    n = bench.options.n
    span = procs.Span(bench.stack.groups())
    got = bench.submit("--count", n, "--connections", 32, "--keys")
    bench.row("enqueue_keyed_c32", got["rate"], "tasks/s", n=n, s=round(got["seconds"], 2), p50_us=got["p50_us"],
              p99_us=got["p99_us"], **span.stop(n, client=got["cpu_s"]))
    bench.stack.forget_tasks()


def process(bench, n):
    span = procs.Span(bench.stack.groups())
    start = time.monotonic()
    bench.stack.call("start", "worker-1", "--no-wait")
    span.add("worker", [bench.stack.pid("worker-1")])
    peak = bench.drain()
    seconds = time.monotonic() - start
    fields = span.stop(n)
    first_to_last = bench.first_to_last(n)
    bench.row("process", n / first_to_last, "tasks/s", n=n, s=round(first_to_last, 2), **fields)
    bench.row("process_from_spawn", n / seconds, "tasks/s", n=n, s=round(seconds, 2))
    bench.row("worker_rss_load", peak[0], "MiB", pss=peak[1], processes=peak[2])


def latencies(bench):
    """Of a submit, at rising numbers of connections."""
    for connections in LATENCY_CONNECTIONS:
        bench.quiet()
        got = bench.submit("--seconds", bench.options.seconds, "--connections", connections)
        for percent in ("p50", "p99"):
            bench.row(f"submit_{percent}_c{connections}", got[f"{percent}_us"], "us", n=got["ok"])
        bench.row(f"submit_rate_c{connections}", got["rate"], "tasks/s", n=got["ok"])
    bench.stack.forget_tasks()


def bulk(bench):
    got = bench.tool("load", "submit", "--url", bench.stack.url, "--token", bench.stack.token, "--batch", 100,
                     "--count", 1, "--connections", 1)
    if "404" in got["status"] or "405" in got["status"]:
        print("enqueue_bulk100 is left out: the API has no POST /tasks/batch", file=sys.stderr)
        return
    batches = max(1, bench.options.bulk // 100)
    span = procs.Span(bench.stack.groups())
    got = bench.submit("--batch", 100, "--count", batches, "--connections", 4)
    bench.row("enqueue_bulk100", got["tasks_rate"], "tasks/s", n=batches * 100, s=round(got["seconds"], 2),
              p50_us=got["p50_us"], p99_us=got["p99_us"], **span.stop(batches * 100, client=got["cpu_s"]))
    bench.stack.forget_tasks()
