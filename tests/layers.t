#!/usr/bin/env python3
"""A room includes headers of lower layers only; a third-party header is included by its rooms only; banned.h closes base.h."""
import os, re, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
layer, owners = {}, []
for line in open(os.path.join(ROOT, "tests/layers.txt")):
    words = line.split("#")[0].split()
    if not words:
        continue
    if words[0].startswith("@"):
        owners.append((words[0][1:], set(words[1:])))
    else:
        layer[words[0]] = int(words[1])

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
wrong = []


def check(room, path):
    text = open(path, encoding="utf-8").read()
    name = os.path.relpath(path, ROOT)
    for kind, header in INCLUDE.findall(text):
        for prefix, rooms in owners:
            if header.startswith(prefix) and room not in rooms:
                wrong.append(f"{name}: <{header}> belongs to {' '.join(sorted(rooms))}")
        other = header[:-2]
        if kind == '"' and other in layer and other != room:
            if room == "portal" and other != "base":
                wrong.append(f"{name}: the portal uses base only, not {header}")
            elif room != "portal" and layer[other] >= layer[room]:
                wrong.append(f"{name}: {room} (layer {layer[room]}) includes {header} (layer {layer[other]})")
    if name.startswith("src/") and not re.search(r'"(base|%s|\w+_internal|\w+)\.h"' % room, text):
        wrong.append(f"{name}: includes no header of ours, so banned calls are not caught")
    if "SPDX-License-Identifier: GPL-2.0-or-later" not in text.split("\n", 1)[0]:
        wrong.append(f"{name}: the licence line is missing")


for header in sorted(os.listdir(os.path.join(ROOT, "include"))):
    if header[:-2] in layer:
        check(header[:-2], os.path.join(ROOT, "include", header))
for room in sorted(os.listdir(os.path.join(ROOT, "src"))):
    folder = os.path.join(ROOT, "src", room)
    if not os.path.isdir(folder):
        continue
    if room not in layer and room != "portal":
        wrong.append(f"src/{room}: not in tests/layers.txt")
        continue
    for file in sorted(os.listdir(folder)):
        if file.endswith((".c", ".h")):
            check(room, os.path.join(folder, file))

print("1..1")
for line in wrong:
    print("# " + line)
print(("not " if wrong else "") + "ok 1 - rooms include only what is below them")
sys.exit(1 if wrong else 0)
