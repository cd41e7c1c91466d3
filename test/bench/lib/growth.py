"""A long queue and a long history: every rate, as a ratio to that of an empty system in the same run."""
import os
import time

import tasks

TASKS = 20000
IDS = 5000
DAYS = 10
PROCESS_SECONDS = 300


def queued(bench):
    """A million tasks wait."""
    compare(bench, "queued", bench.options.growth_queued, fill_queue)


def finished(bench):
    """Ten million tasks are done, on ten days."""
    compare(bench, "finished", bench.options.growth_finished, fill_history)


def fill_queue(bench, n):
    stack = bench.stack
    before = stack.redis_info("LOW", "used_memory")
    stack.stop("manager-1")             # else it would push what is in no list yet
    start = time.monotonic()
    tasks.insert_queued(stack, n)
    tasks.push_queued(stack)
    stack.start("manager-1")
    used = stack.redis_info("LOW", "used_memory") - before
    listed = int(stack.redis("LOW", "MEMORY", "USAGE", "taskflow:queue:default", "SAMPLES", "0"))
    bench.row("growth_redis_per_task", used / n, "bytes", n=n, list_bytes=listed, s=round(time.monotonic() - start, 1),
              list_bytes_per_task=round(listed / n, 2))


def fill_history(bench, n):
    before, start = database_size(bench.stack), time.monotonic()
    tasks.insert_finished(bench.stack, n, DAYS)
    size = database_size(bench.stack) - before
    bench.row("growth_disk", size / 2 ** 30, "GiB", n=n, days=DAYS, bytes_per_task=round(size / n),
              s=round(time.monotonic() - start, 1))


def database_size(stack):
    return int(stack.sql("SELECT pg_database_size(current_database())"))


def compare(bench, state, n, fill):
    """The rates of the state, and of the empty system before and after it: other load would not last that long."""
    empty = measure(bench, 0)
    fill(bench, n)
    full = measure(bench, n)
    tasks.drop_finished(bench.stack)
    again = measure(bench, 0)
    for name, rate in full.items():
        unit, both = "tasks/s" if name in ("submit_c32", "process") else "requests/s", (empty[name], again[name])
        mean = sum(both) / 2
        bench.row(f"growth_{state}_{name}", rate, unit, n=n, empty=[round(v, 1) for v in both], of_empty=round(rate / mean, 3))


def measure(bench, total):
    """All rates: name -> a second. The tasks that this adds are gone afterwards, with all others."""
    bench.stack.tidy()
    bench.quiet()
    got = bench.submit("--count", TASKS, "--connections", 32)
    rates = {"submit_c32": got["rate"], "process": process(bench), **reads(bench, total)}
    bench.stack.forget_tasks()
    return rates


def process(bench):
    """The rate of the first TASKS tasks of a worker that starts now."""
    stack, left, deadline = bench.stack, bench.stack.queued() - TASKS, time.monotonic() + PROCESS_SECONDS
    start = tasks.now_ms(stack) / 1000
    stack.call("start", "worker-1", "--no-wait")
    while stack.queued() > left:
        time.sleep(0.05)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{stack.queued() - left} of {TASKS} tasks are still queued")
    stack.stop("worker-1")
    return TASKS / float(stack.sql(
        "SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM (SELECT started_at, finished_at "
        f"FROM taskflow.tasks WHERE id > taskflow.id_floor(to_timestamp({start - 3600})) "
        f"AND finished_at >= to_timestamp({start}) ORDER BY finished_at LIMIT {TASKS}) AS t"))


def reads(bench, total):
    """Tasks by their ids, in no order; the first page of the list, and one of the middle."""
    ids = tasks.sample(bench.stack, total + TASKS, IDS)
    middle = sorted(ids)[len(ids) * 45 // 100:len(ids) * 55 // 100 + 1]
    kinds = {"get_c32": (32, [f"/tasks/{i}" for i in ids]), "list_first_c8": (8, ["/tasks"]),
             "list_middle_c8": (8, [f"/tasks?cursor={i}" for i in middle])}
    return {name: rate_of(bench, *kind) for name, kind in kinds.items()}


def rate_of(bench, connections, paths):
    file = os.path.join(bench.stack.top, "paths")
    with open(file, "w") as f:
        f.write("\n".join(paths) + "\n")
    bench.quiet()
    return bench.get("--seconds", bench.options.seconds, "--connections", connections, "--paths", file)["rate"]
