#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
"""kill -9 of the agent at random moments while it publishes, then: is every file on the portal, and nobody else's harmed?

Files appear (by rename) before each start and while the agent runs; one in ten is rewritten later. Foreign assets lie in the same
folders of the portal. Exits 1 when a file is missing or wrong or a foreign one is harmed. Replay with --seed.
"""
import collections
import os
import random
import sys
import time

import bench

NEIGHBOURS = 40
LIFE_S = (0.005, 0.15)  # of an agent before it is killed: its first packages leave after some 20 ms
PACKAGE_ASSETS = 3      # many requests, so that many kills meet one under way


class Tree:
    """What the disk holds: name -> bytes, and how often each was written."""

    def __init__(self, root, rng, folders, sizes):
        self.root, self.rng, self.folders, self.sizes = root, rng, folders, sizes
        self.content, self.written = {}, collections.Counter()
        os.makedirs(root)

    def write(self, name):
        data = self.rng.randbytes(self.rng.randint(*self.sizes))
        folder, _, file = name.rpartition("/")
        os.makedirs(f"{self.root}/{folder}", exist_ok=True)
        with open(f"{self.root}/{folder}/.{file}", "wb") as out:
            out.write(data)
        os.rename(f"{self.root}/{folder}/.{file}", f"{self.root}/{name}")
        self.content[name] = data
        self.written[name] += 1

    def grow(self):
        """One more file, or one of ten times a file that is there anew."""
        if self.content and self.rng.random() < 0.1:
            self.write(self.rng.choice(list(self.content)))
        else:
            self.write(f"d{self.rng.randrange(self.folders):02}/f{len(self.content):05}.bin")


def differences(content, where):
    """Names that are missing, and names whose bytes differ."""
    missing, wrong = [], []
    for name, data in content.items():
        try:
            with open(f"{where}/{name}", "rb") as file:
                if file.read() != data:
                    wrong.append(name)
        except FileNotFoundError:
            missing.append(name)
    return missing, wrong


def put_neighbours(place, portal, rng, folders):
    """Foreign assets in the very folders that the agent will use, put there by another client with a state of its own."""
    others = Tree(f"{place}/others", rng, folders, (100, 5000))
    for i in range(NEIGHBOURS):
        others.write(f"d{i % folders:02}/neighbour{i:03}.bin")
    with bench.Agent(bench.write_profile(f"{place}/other.yaml", portal, others.root)) as agent:
        agent.wait_published(NEIGHBOURS, 60)
    return others.content


def one_life(profile, tree, share, rng):
    """Half of `share` files before the start, half while it runs, evenly until the kill."""
    for _ in range(share // 2):
        tree.grow()
    living = share - share // 2
    life_s = rng.uniform(*LIFE_S)
    with bench.Agent(profile) as agent:
        for i in range(living):
            time.sleep(max(0.0, agent.begun + life_s * (i + 1) / living - time.monotonic()))
            tree.grow()
        agent.kill()


def converge(profile, tree, portal):
    """A last agent, left alone: until all is equal, or nothing more happens."""
    with bench.Agent(profile) as agent:
        quiet_since = begun = time.monotonic()
        while any(differences(tree.content, portal.content)) and time.monotonic() - quiet_since < 20:
            time.sleep(0.1)
            if agent.lines():
                quiet_since = time.monotonic()
        took_s = time.monotonic() - begun
        time.sleep(1)  # a late second sending would show in the journal
    return took_s


def sent_again(portal, tree):
    """Assets imported more often than they were written, and requests whose very list of assets was imported before."""
    imports, lists = collections.Counter(), collections.Counter()
    head = f"/{bench.ASSETS}/"
    for line in portal.journal():
        if line["kind"] != "add" or line["status"] != 200:
            continue
        names = [a.removeprefix(head) for a in line.get("assets", []) if a.startswith(head) and a.endswith(".bin")]
        names = [n for n in names if n in tree.content]
        imports.update(names)
        if names and all(tree.written[n] == 1 for n in names):
            lists[tuple(sorted(names))] += 1
    assets = sum(max(0, imports[n] - tree.written[n]) for n in imports)
    return assets, sum(count - 1 for count in lists.values()), sum(imports.values())


def run(o):
    seed = o.seed or random.SystemRandom().randrange(1, 1 << 31)
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    unfinished = 0
    with bench.workplace(o) as place, bench.Portal(f"{place}/portal") as portal:
        neighbours = put_neighbours(place, portal, rng, o.folders)
        tree = Tree(f"{place}/assets", rng, o.folders, (1, 40000))
        profile = bench.write_profile(f"{place}/agent.yaml", portal, tree.root, [f"package_assets: {PACKAGE_ASSETS}"])
        share = -(-o.files // o.kills)
        for _ in range(o.kills):
            one_life(profile, tree, share, rng)
            unfinished += any(differences(tree.content, portal.content))
        took_s = converge(profile, tree, portal)
        missing, wrong = differences(tree.content, portal.content)
        harmed = sum(differences(neighbours, portal.content), [])
        assets, packages, imports = sent_again(portal, tree)
    print(f"kills {o.kills} (work left at {unfinished}), files {len(tree.content)}, writes {sum(tree.written.values())}, "
          f"converged in {took_s:.1f} s")
    print(f"missing {len(missing)}, wrong {len(wrong)}, neighbours harmed {len(harmed)} of {len(neighbours)}")
    print(f"sent again: {assets} assets of {imports} imported, {packages} whole packages")
    for name in (missing + wrong + harmed)[:20]:
        print("bad:", name)
    return bool(missing or wrong or harmed)


if __name__ == "__main__":
    sys.exit(run(bench.options(__doc__, kills=50, files=3000, folders=20, seed=0)))
