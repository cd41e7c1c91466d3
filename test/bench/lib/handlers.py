"""Tasks that are done by programs: how many a second, and how near exec comes to what the kernel can start."""
import procs
import tasks

# name, kind, tasks at once, how many of 100 --n, further settings
CONFIGURATIONS = (
    ("process_1", "process", 1, 40, ""),
    (f"process_{procs.CORES}", "process", procs.CORES, 40, ""),
    ("process_flight", "process", 1000, 100, "in_flight = 1000\n"),
    ("exec_2", "exec", 2, 5, ""),
    ("exec_8", "exec", 8, 5, ""),
)


def sections(program):
    """What the workers' configuration says of them."""
    command = {"process": program, "exec": "/bin/true"}
    return "".join(f"[handler {name}]\nkind = {kind}\nconcurrency = {at_once}\ncommand = {command[kind]}\n{more}"
                   for name, kind, at_once, _, more in CONFIGURATIONS)


def run(bench):
    bench.stack.start("worker-1")
    for name, kind, at_once, share, _ in CONFIGURATIONS:
        n = max(100, bench.options.n * share // 100)
        bench.stack.forget_tasks()
        tasks.insert_queued(bench.stack, n, name)
        bench.quiet()
        more = {"at_once": at_once}
        if kind == "exec":
            more["kernel"] = spawn(bench, at_once, n)
        drained(bench, name, n, more)
    bench.stack.stop("worker-1")
    bench.stack.forget_tasks()


def drained(bench, name, n, more):
    span = procs.Span(bench.stack.groups())
    tasks.push_queued(bench.stack)
    bench.drain()
    fields = span.stop(n)
    rate = n / bench.first_to_last(n)
    if "kernel" in more:
        more["of_kernel"] = round(rate / more["kernel"], 3)
    bench.row(f"handlers_{name}", rate, "tasks/s", n=n, **more, **fields)


def spawn(bench, at_once, n):
    """Processes a second that a loop starts and waits for, with as many at once."""
    got = bench.tool("spawn", n, at_once)
    bench.row(f"kernel_spawn_{at_once}", got["rate"], "processes/s", n=n,
              cpu_s_per_10k={"kernel": round(got["cpu_s"] * 1e4 / n, 3)},
              cpu_s_per_10k_total=round(got["cpu_s"] * 1e4 / n, 3))
    return got["rate"]
