"""What was measured on: of the machine only what says how fast it is, never its name or its paths."""
import datetime
import os
import platform
import re
import subprocess

OPTIONS = ("n", "bulk", "reps", "seconds", "idle_seconds", "concurrency", "growth_queued", "growth_finished",
           "storm_workers", "only", "all", "kit_scale", "peers")


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


def command_line(options, default):
    """The options that say what was measured, unless they have their defaults; a path is only named KIT."""
    given = [(name, getattr(options, name)) for name in OPTIONS]
    kit = ["--kit KIT"] if options.kit else []
    return " ".join(["test/bench/run", *kit, *(words(name, value) for name, value in given if value != default(name))])


def about(stack, options):
    return {"date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"), "command": options.command,
            "cpu": cpu(), "cores": os.cpu_count(), "kernel": version(platform.release()),
            "debian": file("/etc/debian_version").strip() or "?",
            "postgresql": version(stack.sql("SHOW server_version")),
            "redis": version(first_line("redis-server", "--version")),
            "pgbouncer": version(first_line("pgbouncer", "--version"))}
