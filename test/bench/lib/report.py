"""The tables: median, range, and how TaskFlow compares with the references and the peers; goals and verdicts."""
import operator
import os
import re
import statistics
from typing import NamedTuple

US = "taskflow"
BARE = "bare-evhttp"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
RATIOS = {"of_empty": "empty", "of_one": "one", "of_kernel": "kernel"}
COMMITTED = ("pg-boss", "graphile-worker")
EVERY = ("every peer",)
SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
# What the README says of each peer.
FIGURES = ("enqueue_c32", "enqueue_bulk100", "process", "pickup_p50", "pickup_p99", "cpu_s_per_10k life",
           "worker_rss_idle")


class Goal(NamedTuple):
    what: str
    metric: str             # a pattern; of those that fit, the worst one counts
    sign: str
    bound: float
    unit: str               # or, with peers, "x": times the best one of them
    peers: tuple = ()
    best: bool = False      # of those that fit, the best one counts


GOALS = (
    Goal("submit, 32 connections", "enqueue_c32", ">=", 0.5, "x", (BARE,)),
    Goal("submit, 32 connections", "enqueue_c32", ">=", 12, "x", COMMITTED),
    Goal("submit in batches of 100", "enqueue_bulk100", ">=", 1.4, "x", COMMITTED),
    Goal("process", "process", ">", 1, "x", EVERY),
    Goal("CPU of 10,000 tasks, whole life", "cpu_s_per_10k life", "<=", 1.2, "s"),
    Goal("CPU of 10,000 tasks, whole life", "cpu_s_per_10k life", "<=", 0.6, "x", ("bullmq",)),
    Goal("pickup, median", "pickup_p50", "<=", 1, "x", ("sidekiq",)),
    Goal("pickup, 99 %", "pickup_p99", "<=", 1, "x", ("sidekiq",)),
    Goal("lateness of scheduled tasks, 99 %", "scheduled_lateness_p99", "<", 20, "ms"),
    Goal("memory of an idle role", "(api|manager|worker)_rss_idle", "<=", 8, "MiB"),
    Goal("CPU of an idle role", "(api|manager|worker)_idle_cpu", "<=", 0.5, "% of a core"),
    Goal("long queue / empty", "growth_queued_.* / empty", ">=", 0.9, ""),
    Goal("long history / empty", "growth_finished_.* / empty", ">=", 0.9, ""),
    Goal("several workers / one", r"scale_workers_\d+ / one", ">=", 0.9, ""),
    Goal("several APIs / one", r"scale_apis_\d+ / one", ">=", 0.9, ""),
    Goal("handlers of kind process, best configuration", r"handlers_process_\w+", ">=", 20000, "tasks/s", best=True),
    Goal("handlers of kind exec / the kernel's spawn rate", r"handlers_exec_\d+ / kernel", ">=", 0.7, ""),
)


def number(v):
    return f"{v:,.0f}" if abs(v) >= 100 else f"{v:.1f}" if abs(v) >= 10 else f"{v:.3f}"


def markdown(lines):
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], ["---"] * len(lines[0]), *lines[1:]])


# ---- rows that follow from others ----

def ratios(row):
    return [{**row, "metric": f"{row['metric']} / {name}", "value": row[field], "unit": "ratio"}
            for field, name in RATIOS.items() if field in row]


def costs(row):
    """CPU per 10,000 tasks, of all and of each part."""
    if "cpu_s_per_10k_total" not in row:
        return []
    parts = {"": row["cpu_s_per_10k_total"], **{f" {k}": v for k, v in row["cpu_s_per_10k"].items()}}
    return [{**row, "metric": f"cpu_s_per_10k {row['metric']}{part}", "value": v, "unit": "s"}
            for part, v in parts.items()]


def lives(rows):
    """CPU per 10,000 tasks of a whole life: added one by one, and processed."""
    found = {}
    for row in rows:
        if "cpu_s_per_10k_total" in row and row["metric"] in ("enqueue_c32", "process"):
            found.setdefault((row["peer"], row["rep"]), {})[row["metric"]] = row["cpu_s_per_10k_total"]
    return [{"peer": peer, "rep": rep, "metric": "cpu_s_per_10k life", "value": sum(parts.values()), "unit": "s"}
            for (peer, rep), parts in found.items() if len(parts) == 2]


class Figures:
    """All values: metric -> peer -> list."""

    def __init__(self, rows):
        rows = [row for row in rows if "value" in row]
        self.values, self.units, self.peers = {}, {}, []
        for row in rows + [r for row in rows for r in ratios(row) + costs(row)] + lives(rows):
            self.values.setdefault(row["metric"], {}).setdefault(row["peer"], []).append(row["value"])
            self.units.setdefault(row["metric"], row["unit"])
            if row["peer"] not in (US, BARE) and row["peer"] not in self.peers:
                self.peers.append(row["peer"])

    def median(self, metric, peer=US):
        found = self.values.get(metric, {}).get(peer)
        return statistics.median(found) if found else None


# ---- tables ----

def table(rows):
    figures = Figures(rows)
    others = [BARE, *figures.peers]
    lines = [["metric", "unit", "median", "min-max", *(f"/ {peer}" for peer in others)]]
    for metric, by_peer in figures.values.items():
        if US not in by_peer:
            continue
        median, theirs = figures.median(metric), [figures.median(metric, peer) for peer in others]
        lines.append([metric, figures.units[metric], number(median), f"{number(min(by_peer[US]))}-{number(max(by_peer[US]))}",
                      *(number(median / v) if v else "-" for v in theirs)])
    return markdown(lines)


def worst_of(goal, figures):
    """(metric, value), or None."""
    found = [(figures.median(m), m) for m in figures.values if re.fullmatch(goal.metric, m) and figures.median(m) is not None]
    if not found:
        return None
    value, metric = (min if (goal.sign[0] == ">") != goal.best else max)(found)
    return metric, value


def best_peer(goal, figures):
    """(peer, value), or None."""
    peers = figures.peers if goal.peers == EVERY else goal.peers
    found = [(figures.median(goal.metric, peer), peer) for peer in peers if figures.median(goal.metric, peer)]
    if not found:
        return None
    value, peer = (max if goal.sign[0] == ">" else min)(found)
    return peer, value


def judge(goal, figures):
    """What was measured, and the verdict."""
    ours = worst_of(goal, figures)
    theirs = best_peer(goal, figures) if goal.peers else None
    if ours is None or goal.peers and theirs is None:
        return "-", "not measured"
    metric, value = ours
    text = f"{number(value)} ({metric})" if metric != goal.metric else number(value)
    if theirs:
        unit = figures.units[metric]
        text = f"{number(value / theirs[1])} ({number(value)} {unit}; {theirs[0]} {number(theirs[1])})"
        value /= theirs[1]
    return text, "reached" if SIGNS[goal.sign](value, goal.bound) else "**not reached**"


def wanted(goal):
    than = " and ".join(goal.peers) if len(goal.peers) == 1 else "the better of " + ", ".join(goal.peers)
    return f"{goal.sign} {goal.bound:,g} {goal.unit}{' ' + than if goal.peers else ''}".strip()


def goals(rows):
    figures = Figures(rows)
    return markdown([["goal", "wanted", "measured", "verdict"],
                     *([goal.what, wanted(goal), *judge(goal, figures)] for goal in GOALS)])


def comparison(rows):
    """The figures of all peers side by side."""
    figures = Figures(rows)
    peers = [US, *figures.peers]
    lines = [["", "unit", *peers]]
    for metric in FIGURES:
        medians = [figures.median(metric, peer) for peer in peers]
        if medians[0] is not None:
            lines.append([metric, figures.units[metric], *("-" if v is None else number(v) for v in medians)])
    return markdown(lines)


# ---- the README ----

def section(rows):
    about = next((row["about"] for row in rows if "about" in row), None)
    facts = "" if about is None else (
        "Measured on {date} by `{command}`: {cores} cores of {cpu}, Linux {kernel}, Debian {debian}, "
        "PostgreSQL {postgresql}, Redis {redis}, PgBouncer {pgbouncer}. Medians.\n\n".format(**about))
    return f"{BEGIN}\n{facts}{comparison(rows)}\n\n{goals(rows)}\n{END}"


def write(path, rows):
    with open(path, "w") as f:
        f.write(section(rows) + "\n")


def has_markers(path):
    with open(path) as f:
        text = f.read()
    return -1 < text.find(BEGIN) < text.find(END)


def replace(path, rows):
    with open(path) as f:
        text = f.read()
    new = text[:text.index(BEGIN)] + section(rows) + text[text.index(END) + len(END):]
    with open(path + ".new", "w") as f:
        f.write(new)
    os.replace(path + ".new", path)
