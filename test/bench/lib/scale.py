"""More processes of a role on the same machine: together they must do as much as one."""
import procs
import tasks

WORKERS = (1, 2, 4, 8, 20)
APIS = (1, 2, 4)
API_CONNECTIONS = 128


def row(bench, metric, rate, one, **more):
    bench.row(metric, rate, "tasks/s", of_one=round(rate / one, 3), **more)


def workers(bench):
    """Idle workers, into whose queue all tasks come at once."""
    one, running = None, 0
    for count in WORKERS:
        bench.stack.start(*(f"worker-{i + 1}" for i in range(running, count)))
        running = count
        rate, fields = drained(bench, bench.options.n)
        one = one or rate
        row(bench, f"scale_workers_{count}", rate, one, n=bench.options.n, **fields)
    bench.stack.stop(*(f"worker-{i + 1}" for i in range(running)))


def drained(bench, n):
    tasks.insert_queued(bench.stack, n)
    bench.stack.tidy()
    bench.quiet()
    span = procs.Span(bench.stack.groups())
    tasks.push_queued(bench.stack)
    bench.drain()
    fields = span.stop(n)
    rate = n / bench.first_to_last(n)
    bench.stack.forget_tasks()
    return rate, fields


def apis(bench):
    """The same clients, spread over the APIs."""
    one, running = None, 1
    for count in APIS:
        bench.stack.start(*(f"api-{i + 1}" for i in range(running, count)))
        running = count
        urls = ",".join(f"http://127.0.0.1:{bench.stack.port(f'api-{i + 1}')}" for i in range(count))
        bench.quiet()
        span = procs.Span(bench.stack.groups())
        got = bench.submit("--seconds", bench.options.seconds, "--connections", API_CONNECTIONS, url=urls)
        one = one or got["rate"]
        row(bench, f"scale_apis_{count}", got["rate"], one, n=got["ok"], p50_us=got["p50_us"], p99_us=got["p99_us"],
            **span.stop(got["ok"], client=got["cpu_s"]))
        bench.stack.forget_tasks()
    bench.stack.stop(*(f"api-{i + 1}" for i in range(1, running)))
