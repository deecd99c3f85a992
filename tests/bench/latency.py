#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
"""close() of one file until its `published` line, `settle: 0s`, an idle agent, one drop after another.

The line follows the portal's reply and the receipt's row; the commit of that row ends the same turn of the agent's loop.
"""
import os
import time

import bench

REST_S = 0.03  # between two drops: longer than a group commit, so that the agent is idle again


def wait_line(lines, name, seconds):
    deadline = time.monotonic() + seconds
    word = name.encode() + b" bytes="
    while not any(b">published " in line and word in line for line in lines().splitlines()):
        if time.monotonic() > deadline:
            raise SystemExit(f"{name} was not published within {seconds} s")
        time.sleep(0.0001)
    return time.monotonic()


def drop(folder, name, data):
    """When its close() began."""
    fd = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, data)
    at = time.monotonic()
    os.close(fd)
    return at


def drops(o, place):
    folder = f"{place}/assets"
    os.makedirs(folder)
    took_ms = []
    with bench.Portal(f"{place}/portal") as portal, bench.Agent(
            bench.write_profile(f"{place}/agent.yaml", portal, folder)) as agent:
        agent.wait_log(b">scanned ", 20)
        for i in range(o.drops + 1):
            name = f"f{i:06}.bin"
            at = drop(folder, name, os.urandom(o.bytes))
            took_ms.append((wait_line(agent.lines, name, 30) - at) * 1000)
            time.sleep(REST_S)
    return took_ms[1:]  # the first one opened the connection and fetched the token


def run(o):
    with bench.workplace(o) as place:
        rounds = []
        for i in range(o.rounds):
            here = f"{place}/{i}"
            os.makedirs(here)
            rounds.append(drops(o, here))
    bench.show(f"{o.drops} drops of {o.bytes} bytes: median", [bench.median(r) for r in rounds], "ms")
    bench.show(f"{o.drops} drops of {o.bytes} bytes: p99", [bench.percentile(r, 99) for r in rounds], "ms")
    bench.show(f"{o.drops} drops of {o.bytes} bytes: worst", [max(r) for r in rounds], "ms")


if __name__ == "__main__":
    run(bench.options(__doc__, drops=100, bytes=20000, rounds=3))
