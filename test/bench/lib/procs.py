"""CPU time, memory and connections of processes, from /proc.

The sums that the kernel keeps of a process's CPU time are exact, whatever its tick: they agree with schedstat."""
import os
import re
import time

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()


def stat_of(pid):
    """(parent, seconds of CPU with those of children that were waited for), or None."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            text = f.read()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2:].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / TICK


def tree(root):
    """pid -> seconds of CPU, of a process and its living descendants."""
    children, alive = {}, {}
    for name in os.listdir("/proc"):
        stat = stat_of(name) if name.isdigit() else None
        if stat:
            alive[int(name)] = stat[1]
            children.setdefault(stat[0], []).append(int(name))
    found, todo = {}, [root]
    while todo:
        pid = todo.pop()
        if pid in alive:
            found[pid] = alive[pid]
        todo += children.get(pid, [])
    return found


def cpu(pids):
    return sum(sum(tree(pid).values()) for pid in pids)


def memory(pid):
    """(RSS, PSS, processes) of a process and its descendants, in MiB."""
    rss = pss = count = 0
    for member in tree(pid):
        try:
            with open(f"/proc/{member}/smaps_rollup") as f:
                text = f.read()
        except OSError:
            continue
        rss += int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1])
        pss += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
        count += 1
    return round(rss / 1024, 2), round(pss / 1024, 2), count


def connections(pids, ports):
    """pid -> how many TCP connections to one of the ports of this machine it holds."""
    inodes = set()
    with open("/proc/net/tcp") as f:
        for line in f.readlines()[1:]:
            fields = line.split()
            if fields[3] == "01" and int(fields[2].split(":")[1], 16) in ports:
                inodes.add(f"socket:[{fields[9]}]")
    return {pid: sum(link in inodes for link in links_of(pid)) for pid in pids}


def links_of(pid):
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            yield os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue            # closed meanwhile


def machine():
    """Seconds of CPU of the whole machine so far: (busy, stolen, niced)."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:9]]
    return (sum(v) - v[3] - v[4]) / TICK, v[7] / TICK, v[1] / TICK


def quiet(limit):
    """Waits until others use less than a tenth of the machine, at most limit seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before, start = machine(), time.monotonic()
        time.sleep(0.7)
        after = machine()
        used = (after[0] - before[0]) - (after[2] - before[2])
        if used / (time.monotonic() - start) / CORES < 0.10:
            return


class Span:
    """What groups of processes (name -> pids) and everybody else used since the start."""

    def __init__(self, groups):
        self.groups = groups
        self.before = {name: cpu(pids) for name, pids in groups.items()}
        self.machine = machine()
        self.start = time.monotonic()

    def add(self, name, pids):
        """A group that was not there at the start: all that it has used counts."""
        self.groups[name] = pids
        self.before[name] = 0.0

    def stop(self, n, **more):
        """The fields of a row of n tasks; more: seconds of processes that have ended."""
        time.sleep(0.15)        # children that ended are waited for, and so counted
        seconds = time.monotonic() - self.start
        busy, stolen, niced = (b - a for a, b in zip(self.machine, machine()))
        used = {name: max(0.0, cpu(pids) - self.before[name]) for name, pids in self.groups.items()}
        used.update(more)
        total = sum(used.values())
        whole = seconds * CORES
        return {"cpu_s_per_10k": {name: round(v * 1e4 / n, 3) for name, v in used.items()},
                "cpu_s_per_10k_total": round(total * 1e4 / n, 3),
                "other_cpu_share": round(max(0.0, busy - total) / whole, 3),
                "niced_share": round(niced / whole, 3), "steal_share": round(stolen / whole, 3)}
