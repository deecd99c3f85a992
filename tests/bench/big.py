#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
"""Four big files beside curl: MB/s, CPU, memory. What was stored goes after each round: memory would not hold all of it."""
import os
import shutil

import bench
import throughput


def run(o):
    with bench.workplace(o) as place:
        source = f"{place}/assets"
        files = bench.make_tree(source, o.files, o.folders, o.bytes)
        rounds = []
        for i in range(o.rounds):
            here = f"{place}/{i}"
            os.makedirs(here)
            ours = throughput.agent_round(here, source, files, 200)
            shutil.rmtree(f"{here}/portal/content")
            theirs = throughput.curl_round(here, f"{here}/portal", source, files)
            shutil.rmtree(f"{here}/sink")
            rounds.append((ours, theirs))
        throughput.report(f"{o.files} x {o.bytes >> 20} MiB", rounds, o)


if __name__ == "__main__":
    run(bench.options(__doc__, files=4, folders=1, bytes=512 << 20, rounds=3, goal_wall=0.0, goal_cpu=0.0))
