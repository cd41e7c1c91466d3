"""What was measured on: of the machine only what says how fast it is, never its name or its paths."""
import datetime
import os
import platform
import re
import subprocess

OPTIONS = ("n", "bulk", "reps", "seconds", "concurrency", "only", "all", "growth_queued", "growth_finished",
           "storm_workers", "peers")


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.split("\n")[0]
    except OSError:
        return ""


def version(text):
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else "?"


def file(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def cpu():
    found = re.search(r"^model name\s*:\s*(.*)", file("/proc/cpuinfo"), re.M)
    return found[1].strip() if found else platform.machine()


def words(name, value):
    return f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")


def command_line(options):
    """The options that say what was measured; those with paths are left out."""
    names = [name for name in OPTIONS if name != "peers" or options.kit]
    given = [(name, getattr(options, name)) for name in names]
    return " ".join(["test/bench/run", *(words(name, value) for name, value in given if value)])


def about(stack, options):
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "command": command_line(options),
            "cpu": cpu(), "cores": os.cpu_count(), "kernel": version(platform.release()),
            "debian": file("/etc/debian_version").strip() or "?",
            "postgresql": version(stack.sql("SHOW server_version")),
            "redis": version(first_line("redis-server", "--version")),
            "pgbouncer": version(first_line("pgbouncer", "--version"))}
