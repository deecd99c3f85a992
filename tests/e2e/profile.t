#!/usr/bin/env python3
"""The profile: what is wrong is refused with its place and the nearest key, what is not built yet by name; reload swaps or keeps."""
import os, re, signal
from house import House, check, check_equal, main, promise, run

GOOD = """\
version: 1
title: ACME brand assets
tenant:
  url: https://acme.brand-portal.adobe.com/
identity:
  mode: oauth
  client_id: 0123abcd
  client_secret_file: {dir}/acme.secret
  scopes: [openid, AdobeID]
folders:
  - path: {dir}/campaigns
    existing: publish
    settle: 2s
  - path: {dir}/press
    existing: skip
schedule:
  timezone: Europe/Berlin
retry: {{first: 2s, max: 5m}}
state: {dir}/state
"""

BAD = [  # what is replaced, by what; where the caret stands; what is said
    ("title: ACME", "titel: ACME", "titel", ['unknown key "titel"', 'nearest known key is "title"']),
    ("    settle: 2s", "    exlude: [a]", "exlude", ['unknown key "exlude" in folders[0]', 'nearest known key is "exclude"']),
    ("  url: https", "  ulr: https", "ulr", ['unknown key "ulr" in tenant', 'nearest known key is "url"', 'missing key "url"']),
    ("version: 1", "version: 2", "2", ["expected 1"]),
    ("settle: 2s", "settle: 2", "2\n", ["expected 0s to 1h", "unit"]),
    ("settle: 2s", "settle: 3h", "3h", ["expected 0s to 1h"]),
    ("existing: skip", "existing: skipp", "skipp", ['nearest known word is "skip"']),
    ("existing: publish\n", "public: true\n", None, ['missing key "existing"']),
    ("title: ACME brand assets", "title: ACME\ntitle: ACME", "title: ACME\ntenant", ["already in line 2"]),
    ("  scopes: [openid, AdobeID]\n", "", None, ['missing key "scopes"']),
    ("https://acme", "http://acme", "http://acme", ["http"]),
    ("    settle: 2s", "    public: yes", "yes", ["write true"]),
    ("    settle: 2s", '    public: "true"', '"true"', ["write it without quotes"]),
    ("{dir}/press", "{dir}/campaigns/press", "{dir}/campaigns/press", ["overlap on disk"]),
    ("existing: skip", "existing: skip\n    to: campaigns/press", "campaigns/press", ["overlap on the portal"]),
    ("{dir}/state", "{dir}/press/state", "{dir}/press/state", ["state"]),
    ("Europe/Berlin", "Europe/Berln", "Europe/Berln", ["Europe/Berln"]),
    ("retry: {{first: 2s", "retry: {{first: 1h", "1h", ["retry.first is longer than retry.max"]),
    ("acme.secret", "none.secret", "{dir}/none.secret", ["there is no such file", "write the client secret"]),
    ("acme.secret", "loose.secret", "{dir}/loose.secret", ["everybody may read this secret file (mode 0644)", "chmod 0640"]),
    ("  mode: oauth", "  mode: [oauth", None, []),
    ("title: ACME", "\ttitle: ACME", None, []),
]

UNBUILT = [  # the section, what is put at its end; the key that the complaint names
    ("tenant", "transport: direct-upload", "tenant.transport"),
    ("tenant", "transport: assets-api", "tenant.transport"),
    ("tenant", "upload_hosts: [upload.example.com]", "tenant.upload_hosts"),
    ("tenant", "verify: read-back", "tenant.verify"),
    ("identity", "mode: legacy-gateway", "identity.mode"),
    ("folders", "existing: compare", "existing"),
    ("folders", "existing: assume-published", "existing"),
    ("folders", "on_delete: unpublish", "on_delete"),
    ("folders", "remove_folders: owned", "remove_folders"),
    ("folders", "hold_new: true", "hold_new"),
    ("folders", "approval: required", "approval"),
    ("folders", "sidecar: [title]", "sidecar"),
    ("top", "collections: [{name: Spring, members: [\"campaigns/**\"]}]", "collections"),
    ("schedule", "windows: [{days: mon-fri, from: \"20:00\", to: \"06:00\"}]", "schedule.windows"),
    ("schedule", "max_assets_per_hour: 1000", "schedule.max_assets_per_hour"),
    ("schedule", "bandwidth: [{from: \"06:00\", to: \"20:00\", limit: 2MB/s}]", "schedule.bandwidth"),
    ("top", "approvers: {users: [ops]}", "approvers.users"),
    ("top", "approvers: {groups: [brand]}", "approvers.groups"),
    ("top", "notify: {webhook: https://example.com/hook}", "notify.webhook"),
    ("top", "notify: {mail: {to: [ops@example.com]}}", "notify.mail"),
]
SECTION_END = {"tenant": "identity:\n", "identity": "folders:\n", "folders": "  - path: {dir}/press\n", "schedule": "retry:", "top": None}


class Desk:
    """A directory with a profile and the files it names, and no portal."""

    def __enter__(self):
        self.house = House()
        self.dir, self.file = self.house.dir, self.house.dir / "acme.yaml"
        for name in ("campaigns", "press"):
            (self.dir / name).mkdir()
        for name, mode in (("acme.secret", 0o600), ("loose.secret", 0o644)):
            (self.dir / name).write_text("secret")
            (self.dir / name).chmod(mode)
        return self

    def __exit__(self, *error):
        self.house.close()

    def fill(self, text):
        return text.replace("{dir}", str(self.dir)).replace("{{", "{").replace("}}", "}")

    def write(self, text):
        self.file.write_text(self.fill(text))

    def judge(self, code):
        """Both programs say the same."""
        checked, started = run("brandsync", "check", "-p", self.file, code=code), run("brandsyncd", "-p", self.file, code=code)
        said = checked.out + checked.err
        place = re.compile(r"^\S+:\d+:\d+: error: .*$", re.M)
        check_equal(place.findall(started.err), place.findall(said), "errors that brandsyncd and brandsync check print")
        return said


@promise("a good profile passes check, and check --print shows it with every default, to be read again")
def _():
    with Desk() as d:
        d.write(GOOD)
        said = run("brandsync", "check", "-p", d.file, code=0)
        check("0 errors" in said.out, f"check says: {said}")
        printed = run("brandsync", "check", "--print", "-p", d.file, code=0).out
        for line in ("root: /content/dam/mac/acme", "transport: distribution", "uploaders: 4", "settle_unseen: 60s", "on_delete: keep"):
            check(re.search(rf"^\s*-?\s*{re.escape(line.replace('60s', ''))}", printed, re.M), f"no {line} in:\n{printed}")
        d.write(printed.replace("{", "{{").replace("}", "}}"))
        check_equal(run("brandsync", "check", "--print", "-p", d.file, code=0).out, printed, "print of the print")


@promise("a bad profile exits 78 and says where, what was expected and the nearest key")
def _():
    with Desk() as d:
        for old, new, at, texts in BAD:
            check(old in GOOD, f"{old!r} is not in the good profile")
            text = GOOD.replace(old, new, 1)
            d.write(text)
            said = d.judge(78)
            for wanted in texts:
                check(wanted in said, f"{new!r}: no {wanted!r} in:\n{said}")
            if not at:
                check(re.search(rf"^{re.escape(str(d.file))}:\d+:\d+: error: ", said, re.M), f"{new!r}: no place in:\n{said}")
                continue
            text, at = d.fill(text), d.fill(at)
            where = text.index(at, text.rfind("\n", 0, text.index(d.fill(new).splitlines()[0])) + 1)
            line, column = text.count("\n", 0, where) + 1, where - text.rfind("\n", 0, where)
            check(f"{d.file}:{line}:{column}: error: " in said, f"{new!r}: not at {line}:{column}:\n{said}")
            source = text.splitlines()[line - 1]
            check(f"{line:5} | {source}\n      | {' ' * (column - 1)}^" in said, f"{new!r}: no caret below it:\n{said}")


@promise("all errors are told at once, in the order of their lines")
def _():
    with Desk() as d:
        d.write(GOOD.replace("title:", "titel:").replace("settle: 2s", "settle: 2").replace("skip", "skipp").replace("Berlin", "Berln"))
        said = d.judge(78)
        lines = [int(n) for n in re.findall(r"acme\.yaml:(\d+):\d+: error: ", said)]
        check_equal(lines, [2, 13, 15, 17], "lines")
        check("4 errors" in said, f"they are not counted: {said}")


@promise("what this version lacks is an error that names its key, never ignored")
def _():
    with Desk() as d:
        for section, words, key in UNBUILT:
            text = re.sub(rf"^ +{words.split(':')[0]}: (oauth|publish)\n", "", GOOD, count=1, flags=re.M)
            end = SECTION_END[section]
            indent = {"top": "", "folders": "    "}.get(section, "  ")
            addition = f"{indent}{words}\n".replace("{", "{{").replace("}", "}}")
            d.write(text.replace(end, addition + end, 1) if end else text + addition)
            said = d.judge(78)
            check(re.search(rf"error: \S*{re.escape(key)}\S*( \S+)? is not built in this version yet", said), f"{words!r}: {said}")
            check_equal(len(re.findall(": error: ", said)), 1, f"errors for {words!r}")


@promise("reload with a bad profile keeps the old one and says so, by command and by SIGHUP")
def _():
    with House() as h:
        h.start()
        h.mark()
        good = h.profile_file.read_text()
        h.profile_file.write_text(good.replace("settle:", "setle:"))
        said = h.cli("reload", code=78)
        text = said.out + said.err
        check("keeps its profile" in text and 'nearest known key is "settle"' in text, f"reload says: {said}")
        before = len(h.logged("kept="))
        h.agent.send_signal(signal.SIGHUP)
        h.wait("a line in the log", lambda: len(h.logged("kept=")) > before)
        h.drop("campaigns/second.jpg")
        h.wait_arrived("campaigns/second.jpg")
        h.profile_file.write_text(good)
        h.cli("reload", code=0)
        h.wait("a line in the log", lambda: h.logged("reloaded"))
        h.mark("third.jpg")


@promise("reload refuses another tenant or state for a running agent")
def _():
    with House() as h:
        h.start()
        h.mark()
        usual = h.profile_file.read_text()
        for key, old, new in (("tenant.root", h.portal.root, "/content/dam/mac/other"), ("state", f"{h.state}", f"{h.dir}/elsewhere")):
            check(old in usual, f"no {old} in the profile")
            h.profile_file.write_text(usual.replace(old, new))
            h.agent.send_signal(signal.SIGHUP)
            h.wait("a line in the log", lambda: h.logged(f"a changed {key} needs a restart"))
        h.profile_file.write_text(usual.replace(h.portal.root, "/content/dam/mac/other"))
        said = h.cli("reload", code=78)
        check("a changed tenant.root needs a restart" in said.err, f"reload says: {said}")
        h.mark("second.jpg")


@promise("reload with public: true sends the folders' nodes, and no asset")
def _():
    with House() as h:
        h.start()
        paths = ["campaigns/a.jpg", "campaigns/spring/b.jpg"]
        for path in paths:
            h.drop(path)
        h.wait_arrived(*paths)
        h.wait_rest()
        before = len(h.portal.packages())
        for public in (True, False):
            h.folders["campaigns"]["public"] = public
            h.write_profile()
            h.cli("reload", code=0)
            word = "true" if public else "false"
            h.wait(f"publicFolder: {word}", lambda: {h.portal.property(f, "jcr:content/publicFolder")
                                                     for f in ("campaigns", "campaigns/spring")} == {word})
            h.wait_rest()
        sent = {a for p in h.portal.packages()[before:] for a in p["assets"]}
        check_equal(sent, {f"{h.portal.root}/campaigns/", f"{h.portal.root}/campaigns/spring/"}, "sent after the reloads")
        check_equal(sorted(h.portal.assets()), sorted(paths), "assets")


main()
