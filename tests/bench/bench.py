# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
"""What the measurements share: a bench directory, the portal, the agent and the sink as processes, and medians.

Everything listens on loopback, has a deadline, and is stopped by its own pid.
"""
import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.environ.get("BUILD_OUT") or os.path.join(ROOT, "build", "release")
ASSETS = "content/dam/mac/bench/campaigns"  # where the portal's folder keeps what the agent's `to: campaigns` sends
POLL_S = 0.01


def options(text, **defaults):
    """--NAME for each default, and where to work."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    parser.add_argument("--dir", default="/dev/shm", help="works in a new directory below it (default: tmpfs)")
    parser.add_argument("--keep", action="store_true", help="leaves that directory behind")
    return parser.parse_args()


@contextlib.contextmanager
def workplace(o):
    """A new directory, removed at the very end: removing between rounds would change what the next one costs."""
    place = tempfile.mkdtemp(prefix="brandsync-bench-", dir=o.dir)
    try:
        yield place
    finally:
        if o.keep:
            print("left behind:", place)
        else:
            shutil.rmtree(place, ignore_errors=True)


def median(values):
    return statistics.median(values)


def percentile(values, p):
    """The smallest value that p percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1)]


def show(label, values, unit="", digits=2):
    """`label  median  (each round)`"""
    rounds = " ".join(f"{v:.{digits}f}" for v in values)
    print(f"{label:<44}{median(values):>10.{digits}f} {unit:<8} ({rounds})", flush=True)


def wait_until(is_true, seconds, what, alive=None):
    deadline = time.monotonic() + seconds
    while not is_true():
        if alive and not alive.is_running():
            sys.exit(f"{what}: {alive.name} ended; see {alive.log}")
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(POLL_S)


# --- processes -----------------------------------------------------------------------------------------------------

class Process:
    """A program with its standard error in a file. Stopped by its pid, its CPU taken from wait4."""

    def __init__(self, command, log, **popen):
        self.name, self.log, self.cpu_s = os.path.basename(command[0]), log, None
        with open(log, "ab") as stderr:
            self.begun = time.monotonic()
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, **popen)
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def reap(self, flags=0):
        if self.cpu_s is not None:
            return True
        pid, status, usage = os.wait4(self.pid, flags)
        if pid:
            self.ended = time.monotonic()
            self.child.returncode = os.waitstatus_to_exitcode(status)
            self.cpu_s = usage.ru_utime + usage.ru_stime
        return bool(pid)

    def is_running(self):
        return not self.reap(os.WNOHANG)

    def wait(self, seconds):
        wait_until(lambda: not self.is_running(), seconds, self.name)
        return self.child.returncode

    def kill(self):
        if self.is_running():
            os.kill(self.pid, signal.SIGKILL)
            self.reap()

    def stop(self, seconds=20):
        """SIGTERM, and after `seconds` SIGKILL."""
        if not self.is_running():
            return
        os.kill(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(POLL_S)

    def peak_mib(self):
        with open(f"/proc/{self.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


class Log:
    """Reads what a process has written since the last look, by whole lines."""

    def __init__(self, path):
        self.file, self.rest = open(path, "rb"), b""

    def lines(self):
        text = self.rest + self.file.read()
        whole, newline, self.rest = text.rpartition(b"\n")
        return whole + newline


class Portal(Process):
    def __init__(self, place):
        self.dir = place
        os.makedirs(place, exist_ok=True)
        super().__init__([f"{OUT}/brandsync-portal", "--dir", place, "--tenant", "bench", "--port", "0", "--page-port", "0"],
                         place + ".log", stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: os.path.exists(f"{place}/portal.json"), 20, "portal", self)
        except BaseException:
            self.stop()
            raise
        self.content = f"{place}/{ASSETS}"
        self.ca = f"{place}/tls/ca.pem"

    def journal(self):
        with open(f"{self.dir}/journal.jsonl") as lines:
            return [json.loads(line) for line in lines]


def write_profile(file, portal, folder, tenant=(), settle="0s"):
    """An OAuth client of the portal, one folder, and a state beside the profile; returns the profile's name."""
    lines = subprocess.run([f"{OUT}/brandsync-portal", "register", "--dir", portal.dir, "--oauth", "--client-id",
                            os.path.basename(file).removesuffix(".yaml")],
                           check=True, capture_output=True, text=True, timeout=20).stdout
    lines = lines.replace("tenant:\n", "tenant:\n" + "".join(f"  {line}\n" for line in tenant), 1)
    with open(file, "w") as out:
        out.write(f"version: 1\n{lines}folders:\n  - path: {folder}\n    to: campaigns\n    existing: publish\n"
                  f"    settle: {settle}\n    settle_unseen: 0s\nstate: {file.removesuffix('.yaml')}.state\n")
    return file


class Agent(Process):
    """brandsyncd; `lines` tells what is new in its log."""

    def __init__(self, profile, log=None):
        log = log or profile.removesuffix(".yaml") + ".log"
        open(log, "ab").close()
        self.lines = Log(log).lines
        self.lines()  # of an agent before this one
        super().__init__([f"{OUT}/brandsyncd", "--profile", profile], log)

    def wait_published(self, files, seconds):
        """Until the log has said `published` of that many assets (folders end in no suffix)."""
        done = 0

        def all_are():
            nonlocal done
            done += sum(b">published " in line and b".bin bytes=" in line for line in self.lines().splitlines())
            return done >= files
        wait_until(all_are, seconds, f"{files} assets published", self)
        return time.monotonic()

    def wait_log(self, word, seconds):
        wait_until(lambda: word in self.lines(), seconds, word.decode(), self)
        return time.monotonic()


class Sink(Process):
    def __init__(self, place, portal_dir):
        os.makedirs(place)
        super().__init__([f"{OUT}/tests/bench/sink", place, f"{portal_dir}/tls/server.pem", f"{portal_dir}/tls/server.key"],
                         place + ".log", stdout=subprocess.PIPE)
        self.port = int(self.child.stdout.readline() or sys.exit(f"the sink does not start: {self.log}"))
        self.child.stdout.close()
        self.ca = f"{portal_dir}/tls/ca.pem"


def curl(sink, source, files, config):
    """PUTs files (relative to source) to the sink, four at a time; returns wall and CPU seconds."""
    with open(config, "w") as out:
        for name in files:
            out.write(f'url = "https://127.0.0.1:{sink.port}/{name}"\nupload-file = "{source}/{name}"\n')
    command = ["curl", "-q", "--silent", "--show-error", "--fail", "--parallel", "--parallel-max", "4", "--cacert", sink.ca,
               "--noproxy", "*", "-K", config]
    with Process(command, config + ".log") as process:
        if process.wait(600) != 0:
            sys.exit(f"curl failed: {process.log}")
        return process.ended - process.begun, process.cpu_s


# --- trees ---------------------------------------------------------------------------------------------------------

def make_tree(root, files, folders, size, seed=1):
    """`files` of `size` bytes that differ, named dNNNN/fNNNNNN.bin; returns their names relative to root."""
    rng = random.Random(seed)
    block = rng.randbytes(max(size, 1 << 16) if size < 1 << 20 else 1 << 20)
    names = [f"d{i % folders:04}/f{i:06}.bin" for i in range(files)]
    for folder in range(folders):
        os.makedirs(f"{root}/d{folder:04}", exist_ok=True)
    for i, name in enumerate(names):
        with open(f"{root}/{name}", "wb") as out:
            left = size
            head = b"%016d" % i
            out.write(head[:left])
            left -= len(head[:left])
            while left > 0:
                left -= out.write(block[:left])
    return names


def count_files(root):
    return sum(len(files) for _, _, files in os.walk(root))
