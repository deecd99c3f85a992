#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
"""Publishing many small files beside `curl --parallel` PUTting the same ones: wall, CPU and memory, rounds alternating.

The agent's wall time runs from its start to the last `published`, so it holds start-up, scan, token, packages and the ledger's
commits; its CPU is that of the whole process but for what an agent with an empty folder takes. curl's are those of its process.
"""
import os
import sys

import bench

GOAL_WALL, GOAL_CPU = 0.5, 0.6  # of curl's


def start_up_cpu(place, portal):
    os.makedirs(f"{place}/empty")
    profile = bench.write_profile(f"{place}/empty.yaml", portal, f"{place}/empty")
    with bench.Agent(profile) as agent:
        agent.wait_log(b">scanned ", 20)
    return agent.cpu_s


def agent_round(place, source, files, package_assets):
    """Wall, CPU but for the start-up, peak RSS, and the portal's CPU."""
    with bench.Portal(f"{place}/portal") as portal:
        idle_s = start_up_cpu(place, portal)
        before_s = process_cpu(portal.pid)
        profile = bench.write_profile(f"{place}/agent.yaml", portal, source, [f"package_assets: {package_assets}"])
        with bench.Agent(profile) as agent:
            wall_s = agent.wait_published(len(files), 600) - agent.begun
            peak_mib = agent.peak_mib()
            portal_s = process_cpu(portal.pid) - before_s
        stored = bench.count_files(portal.content)
        if stored != len(files):
            sys.exit(f"the portal has {stored} of {len(files)} files")
        return wall_s, agent.cpu_s - idle_s, peak_mib, portal_s


def process_cpu(pid):
    with open(f"/proc/{pid}/stat") as stat:
        words = stat.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def curl_round(place, tls, source, files):
    with bench.Sink(f"{place}/sink", tls) as sink:
        wall_s, cpu_s = bench.curl(sink, source, files, f"{place}/curl.conf")
        sink_s = process_cpu(sink.pid)
    stored = bench.count_files(f"{place}/sink/content")
    if stored != len(files):
        sys.exit(f"the sink has {stored} of {len(files)} files")
    return wall_s, cpu_s, sink_s


def ratios(label, ours, theirs, goal, unit):
    bench.show(f"{label}: {unit}, agent / curl", [a / b for a, b in zip(ours, theirs)], f"goal {goal}" if goal else "")


def report(label, rounds, o):
    agent, curl = zip(*rounds)
    wall, cpu, peak, portal = zip(*agent)
    curl_wall, curl_cpu, sink = zip(*curl)
    digits = 0 if o.files > 100 else 2
    mb = o.files * o.bytes / 1e6
    bench.show(f"{label}: agent", [o.files / w for w in wall], "files/s", digits)
    bench.show(f"{label}: curl", [o.files / w for w in curl_wall], "files/s", digits)
    bench.show(f"{label}: agent", [mb / w for w in wall], "MB/s", 0)
    bench.show(f"{label}: curl", [mb / w for w in curl_wall], "MB/s", 0)
    bench.show(f"{label}: agent CPU", [c * 1e6 / o.files for c in cpu], "us/file", 0)
    bench.show(f"{label}: curl CPU", [c * 1e6 / o.files for c in curl_cpu], "us/file", 0)
    bench.show(f"{label}: portal CPU", portal, "s")
    bench.show(f"{label}: sink CPU", sink, "s")
    bench.show(f"{label}: agent peak RSS", peak, "MiB", 1)
    ratios(label, wall, curl_wall, o.goal_wall, "wall")
    ratios(label, cpu, curl_cpu, o.goal_cpu, "CPU")


def run(o, packages):
    with bench.workplace(o) as place:
        source = f"{place}/assets"
        files = bench.make_tree(source, o.files, o.folders, o.bytes)
        for most in packages:
            rounds = []
            for i in range(o.rounds):
                here = f"{place}/{most}-{i}"
                os.makedirs(here)
                ours = agent_round(here, source, files, most)
                rounds.append((ours, curl_round(here, f"{here}/portal", source, files)))
            report(f"packages of up to {most}" if most > 1 else "packages of 1", rounds, o)


if __name__ == "__main__":
    run(bench.options(__doc__, files=10000, folders=100, bytes=20000, rounds=3, goal_wall=GOAL_WALL, goal_cpu=GOAL_CPU), [200, 1])
