"""A long queue and a long history: every rate, as a ratio to that of an empty system in the same run."""
import os
import time

import procs
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
    for name, (rate, other) in full.items():
        both = (empty[name], again[name])
        bench.row(f"growth_{state}_{name}", rate, "tasks/s" if name in ("submit_c32", "process") else "requests/s", n=n,
                  of_empty=round(2 * rate / sum(v[0] for v in both), 3), other_cpu_share=other,
                  empty=[round(v[0], 1) for v in both], empty_other_cpu_share=[v[1] for v in both])


def measure(bench, total):
    """name -> a rate and what others used meanwhile. The tasks that this adds are gone afterwards, with all others."""
    bench.stack.tidy()
    bench.quiet()
    rates = {"submit_c32": load(bench, bench.submit, "--count", TASKS, "--connections", 32), "process": process(bench),
             **reads(bench, total)}
    bench.stack.forget_tasks()
    return rates


def load(bench, function, *words):
    span = procs.Span(bench.stack.groups())
    got = function(*words)
    return got["rate"], span.stop(got["ok"], client=got["cpu_s"])["other_cpu_share"]


def process(bench):
    """The rate of the first TASKS tasks of a worker that starts now."""
    stack, left, deadline = bench.stack, bench.stack.queued() - TASKS, time.monotonic() + PROCESS_SECONDS
    start, span = tasks.now_ms(stack) / 1000, procs.Span(stack.groups())
    stack.call("start", "worker-1", "--no-wait")
    span.add("worker", [stack.pid("worker-1")])
    while stack.queued() > left:
        time.sleep(0.05)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{stack.queued() - left} of {TASKS} tasks are still queued")
    other = span.stop(TASKS)["other_cpu_share"]
    stack.stop("worker-1")
    seconds = float(stack.sql(
        "SELECT extract(epoch FROM max(finished_at) - min(started_at)) FROM (SELECT started_at, finished_at "
        f"FROM taskflow.tasks WHERE id > taskflow.id_floor(to_timestamp({start - 3600})) "
        f"AND finished_at >= to_timestamp({start}) ORDER BY finished_at LIMIT {TASKS}) AS t"))
    return TASKS / seconds, other


def reads(bench, total):
    """Tasks by their ids, in no order; the first page of the list, and one of the middle."""
    ids = tasks.sample(bench.stack, total + TASKS, IDS)
    middle = sorted(ids)[len(ids) * 45 // 100:len(ids) * 55 // 100 + 1]
    kinds = {"get_c32": (32, [f"/tasks/{i}" for i in ids]), "list_first_c8": (8, ["/tasks"]),
             "list_middle_c8": (8, [f"/tasks?cursor={tasks.cursor(bench.stack, i)}" for i in middle])}
    return {name: rate_of(bench, *kind) for name, kind in kinds.items()}


def rate_of(bench, connections, paths):
    file = os.path.join(bench.stack.top, "paths")
    with open(file, "w") as f:
        f.write("\n".join(paths) + "\n")
    bench.quiet()
    return load(bench, bench.get, "--seconds", bench.options.seconds, "--connections", connections, "--paths", file)
