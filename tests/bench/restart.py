#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
"""Restart on a tree that is published and unchanged: from exec until `scanned` and nothing left, beside a warm `find` of it.

Exits 1 when the restart sent anything.
"""
import subprocess
import sys
import time

import bench

RACY_S = 3   # stamps younger than 2 s at publishing are looked at again: not what is measured here
REST_S = 1   # nothing may come after `scanned`


def publish(profile, files):
    with bench.Agent(profile) as agent:
        agent.wait_published(files, 900)
        time.sleep(REST_S)


def find(source):
    begun = time.monotonic()
    subprocess.run(["find", source, "-printf", "%s %T@ %i\n"], check=True, stdout=subprocess.DEVNULL, timeout=300)
    return time.monotonic() - begun


def restart(profile):
    """Seconds until `scanned`, its CPU until it stopped, its peak memory, and what it found to do."""
    with bench.Agent(profile, profile + ".restart.log") as agent:
        text = b""

        def is_scanned():
            nonlocal text
            text += agent.lines()
            return b">scanned " in text
        bench.wait_until(is_scanned, 300, "scanned", agent)
        wall_s = time.monotonic() - agent.begun
        time.sleep(REST_S)
        text += agent.lines()
        peak_mib = agent.peak_mib()
    return wall_s, agent.cpu_s, peak_mib, text.count(b">published ") + text.count(b">unchanged ")


def run(o):
    with bench.workplace(o) as place, bench.Portal(f"{place}/portal") as portal:
        source = f"{place}/assets"
        files = bench.make_tree(source, o.files, o.folders, o.bytes)
        time.sleep(RACY_S)
        profile = bench.write_profile(f"{place}/agent.yaml", portal, source)
        publish(profile, len(files))
        sent = len(portal.journal())
        find(source)
        rounds = [(restart(profile), find(source)) for _ in range(o.rounds)]
        again = len(portal.journal()) - sent
    ours, find_s = zip(*rounds)
    wall, cpu, peak, work = zip(*ours)
    bench.show(f"restart on {o.files} unchanged files: to idle", wall, "s")
    bench.show("find of the same tree, warm", find_s, "s")
    bench.show("restart / find", [a / b for a, b in zip(wall, find_s)])
    bench.show("restart: CPU, with stopping", cpu, "s")
    bench.show("restart: peak RSS", peak, "MiB", 1)
    bench.show("restart: files looked into or sent", work, "", 0)
    print(f"requests sent by {o.rounds} restarts: {again}")
    return again + sum(work)


if __name__ == "__main__":
    sys.exit(1 if run(bench.options(__doc__, files=100000, folders=1000, bytes=100, rounds=3)) else 0)
