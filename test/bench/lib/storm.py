"""Both Redis servers restart while many workers are idle: how soon all are back, and what that costs."""
import json
import socket
import threading
import time
import urllib.parse

import procs
from client import Client, task

SERVERS = {"HIGH": "redis-high", "LOW": "redis-low"}
DOWN_SECONDS = 5
LIMIT_SECONDS = 120


class Probe:
    """A connection to a Redis that comes back; samples of how many connections it has, and has accepted."""

    def __init__(self, url):
        self.url, self.samples, self.stopped = urllib.parse.urlsplit(url), [], False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.stopped:
            try:
                with socket.create_connection((self.url.hostname, self.url.port), 5) as s:
                    self.listen(s, s.makefile("rb"))
            except OSError:
                time.sleep(0.005)

    def listen(self, s, answers):
        s.sendall(f"AUTH {self.url.password}\r\n".encode())
        if not answers.readline().startswith(b"+OK"):
            raise OSError("it does not let us in yet")
        while not self.stopped:
            s.sendall(b"INFO clients stats\r\n")
            text = answers.read(int(answers.readline()[1:] or 0) + 2).decode()
            info = dict(line.split(":", 1) for line in text.split("\r\n") if ":" in line)
            self.samples.append((time.monotonic(), int(info["connected_clients"]), int(info["total_connections_received"])))
            time.sleep(0.02)

    def stop(self):
        self.stopped = True
        self.thread.join()

    def peak(self):
        """The most connections that were accepted in a second."""
        best, first = 0, 0
        for at, _, accepted in self.samples:
            while at - self.samples[first][0] > 1:
                first += 1
            best = max(best, accepted - (self.samples[first][2] if at - self.samples[0][0] > 1 else 0))
        return best


def run(bench):
    stack, count = bench.stack, bench.options.storm_workers
    names = [f"worker-{i + 1}" for i in range(count)]
    stack.start(*names)
    storm(bench, [stack.pid(name) for name in names])
    stack.stop(*names)


def storm(bench, pids):
    stack = bench.stack
    ports = {stack.port(name) for name in SERVERS.values()}
    before = settled(pids, ports)
    memory = sum(procs.memory(pid)[1] for pid in pids)
    bench.row("storm_connections", sum(before.values()), "connections", workers=len(pids), pss_mib=round(memory, 1))
    for name in SERVERS.values():
        stack.call("kill", name)
    time.sleep(DOWN_SECONDS)
    start, used = time.monotonic(), {pid: procs.cpu([pid]) for pid in pids}
    for name in SERVERS.values():
        stack.call("start", name, "--no-wait")
    probes = [Probe(stack.env[f"TASKFLOW_REDIS_{which}_URL"]) for which in SERVERS]
    back = all_back(pids, ports, before, start)
    for probe in probes:
        probe.stop()
    cpu = procs.cpu([stack.pid(name) for name in SERVERS.values()])
    answers = min(probe.samples[0][0] for probe in probes) - start
    bench.row("storm_reconnect", back, "s", workers=len(pids), down_s=DOWN_SECONDS, first_answer_s=round(answers, 3),
              last_connections=[probe.samples[-1][1] for probe in probes])
    bench.row("storm_accepted_peak", sum(probe.peak() for probe in probes), "connections/s",
              each=[probe.peak() for probe in probes], accepted=[probe.samples[-1][2] for probe in probes])
    bench.row("storm_redis_cpu", cpu, "s")
    bench.row("storm_workers_cpu", sum(procs.cpu([pid]) - used[pid] for pid in pids), "s")
    bench.row("storm_task", run_one(stack), "ms", how="POST with Prefer: wait, right after all were back, to its answer")


def settled(pids, ports):
    """How many connections each worker holds, once that has not changed for some seconds."""
    held, deadline = None, time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        now = procs.connections(pids, ports)
        if now == held and all(now.values()):
            return held
        held = now
        time.sleep(3)
    raise RuntimeError("the workers do not settle")


def all_back(pids, ports, before, start):
    """Seconds until each worker holds as many connections as before."""
    while time.monotonic() - start < LIMIT_SECONDS:
        now = procs.connections(pids, ports)
        if all(now[pid] >= before[pid] for pid in pids):
            return time.monotonic() - start
        time.sleep(0.1)
    raise RuntimeError(f"not all workers came back in {LIMIT_SECONDS} s")


def run_one(stack):
    start = time.monotonic()
    answer = json.loads(Client(stack).post(task("noop", t0=0), "Prefer: wait=30\r\n"))
    if answer["status"] != "COMPLETED":
        raise RuntimeError(f"the task is {answer['status']}")
    return (time.monotonic() - start) * 1e3
