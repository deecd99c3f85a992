#!/usr/bin/env python3
"""The service manager is told the truth: ready once, what is going on, alive while it turns, reloading, stopping."""
import os, signal, socket
from house import House, check, main, promise, wait_until


class Manager:
    """A service manager's end of the notification socket."""

    def __init__(self, dir):
        self.path = os.path.join(dir, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(0.1)
        self.lines = []

    def has(self, prefix, since=0):
        try:
            while True:
                self.lines += self.socket.recv(4096).decode().split("\n")
        except TimeoutError:
            pass
        return any(line.startswith(prefix) for line in self.lines[since:])

    def await_line(self, prefix, since=0):
        wait_until(f"the service manager hears {prefix}", lambda: self.has(prefix, since), every=0)


@promise("READY, STATUS with the verdict, WATCHDOG, RELOADING with its time, READY again, STOPPING")
def _():
    with House() as h:
        manager = Manager(h.dir)
        os.environ.update(NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="6000000")
        try:
            h.start()
        finally:
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
                del os.environ[name]
        manager.await_line("READY=1")
        manager.await_line("STATUS=ok: ")
        manager.await_line("WATCHDOG=1")
        h.drop("campaigns/a.jpg")
        h.wait_arrived("campaigns/a.jpg")
        manager.await_line("STATUS=ok: house: everything is on the portal (1 asset)")
        seen = len(manager.lines)
        os.kill(h.agent.pid, signal.SIGHUP)
        manager.await_line("RELOADING=1", seen)
        manager.await_line("MONOTONIC_USEC=", seen)
        manager.await_line("READY=1", seen)
        seen = len(manager.lines)
        h.stop()
        check(manager.has("STOPPING=1", seen), "STOPPING=1 is said at the end")


if __name__ == "__main__":
    main()
