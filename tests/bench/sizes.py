#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
"""Code lines per room, length of functions (universal-ctags), test lines per product line. A code line is neither blank nor comment."""
import collections
import glob
import os
import re
import subprocess

import bench

# Strings and characters first, so that a comment's sign within them is none.
C_TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)


def code_lines(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if path.endswith((".c", ".h")):
        text = C_TOKEN.sub(lambda m: re.sub(r"[^\n]", "", m[0]) if m[0][0] == "/" else "x", text)
        return sum(bool(line.strip()) for line in text.split("\n"))
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.split("\n"))


def is_script(path):
    if path.endswith((".c", ".h", ".py", ".t")):
        return True
    with open(path, "rb") as file:
        return file.read(2) == b"#!"


def functions(paths):
    """file, name, lines from its head to its brace"""
    tags = subprocess.run(["ctags", "--fields=+ne", "-o", "-", "--kinds-C=f", "--languages=C", *paths], check=True,
                          capture_output=True, text=True, timeout=120).stdout
    for tag in tags.splitlines():
        words = tag.split("\t")
        number = {key: int(value) for key, _, value in (word.partition(":") for word in words[3:]) if key in ("line", "end")}
        if len(number) == 2:
            yield words[1], words[0], number["end"] - number["line"] + 1


def rooms():
    table = collections.OrderedDict()
    for path in sorted(glob.glob("src/*/*.[ch]")):
        table.setdefault(path.split("/")[1], []).append(path)
    return table


def main():
    os.chdir(bench.ROOT)
    every, product = [], 0
    print(f"{'room':<12}{'files':>6}{'code lines':>12}{'functions':>11}{'median':>8}{'p90':>6}{'longest':>9}")
    for room, paths in rooms().items():
        sizes = [(length, name) for _, name, length in functions(paths)]
        lines = sum(map(code_lines, paths))
        lengths = [length for length, _ in sizes] or [0]
        every += sizes
        product += lines
        print(f"{room:<12}{len(paths):>6}{lines:>12}{len(sizes):>11}{bench.median(lengths):>8.0f}"
              f"{bench.percentile(lengths, 90):>6}{max(lengths):>9}")
    headers = sum(map(code_lines, glob.glob("include/*.h")))
    tests = sum(code_lines(p) for p in glob.glob("tests/**/*", recursive=True) if os.path.isfile(p) and is_script(p))
    lengths = [length for length, _ in every]
    print(f"functions {len(every)}: median {bench.median(lengths):.0f}, p90 {bench.percentile(lengths, 90)} lines")
    print("longest: " + ", ".join(f"{name} {length}" for length, name in sorted(every, reverse=True)[:5]))
    print(f"product {product} + headers {headers}, tests {tests}: {tests / (product + headers):.2f} test lines per product line")


if __name__ == "__main__":
    main()
