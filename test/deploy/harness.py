"""What the test programs of this folder share: they print what test/run counts."""
import os
import pathlib
import shutil
import subprocess
import sys
import traceback

TOP = pathlib.Path(__file__).resolve().parents[2]
KUBERNETES = TOP / "deploy/kubernetes"
FLAT = KUBERNETES / "taskflow.yaml"


class Skipped(Exception):
    """A test that cannot run here; it counts as nothing."""


def run(tests, stop=False):
    """Run functions by their names; the exit status of the program. stop: each needs the one before."""
    failed = skipped = ran = 0
    wanted = sys.argv[1:]
    for test in tests:
        name = test.__name__
        if wanted and name not in wanted:
            continue
        ran += 1
        print(f"[ RUN      ] {name}", flush=True)
        try:
            test()
        except Skipped as why:
            skipped += 1
            print(f"[  SKIPPED ] {name}: {why}", flush=True)
        except BaseException:  # pylint: disable=broad-except
            failed += 1
            traceback.print_exc(file=sys.stdout)
            print(f"[  FAILED  ] {name}", flush=True)
            if stop:
                break
        else:
            print(f"[       OK ] {name}", flush=True)
    if skipped:
        print(f"{skipped} SKIPPED TEST(S)")
    if failed:
        print(f"{failed} FAILED TEST(S)", flush=True)
    if not ran:
        print(f"no test has one of these names: {wanted}")
    return 1 if failed or not ran else 0


def command(*argv, **more):
    """Its standard output; an error with all that it said if it fails."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def kubectl():
    """The one on this machine, if it knows kustomize components (1.27 or later)."""
    path = shutil.which("kubectl")
    if path is None:
        raise Skipped("kubectl is not installed here: only the flat file that is checked in was looked at")
    return path


def render(folder):
    return command(kubectl(), "kustomize", folder)


def daemon():
    path = pathlib.Path(os.environ.get("TASKFLOW_BIN", TOP / "build/taskflowd")).resolve()
    if not os.access(path, os.X_OK):
        sys.exit(f"{path} is no program: run make, or set TASKFLOW_BIN")
    return path
