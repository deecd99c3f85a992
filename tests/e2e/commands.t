#!/usr/bin/env python3
"""The operator's commands, what explain answers, an overflow of the kernel's queue, and that no secret is ever said."""
import json, os, re, signal, time
from house import House, Failed, check, check_equal, main, picture, promise, tail


@promise("unpublish takes one asset away without a question, and it stays away until publish brings it back")
def _():
    with House() as h:
        h.start()
        for name in ("a.jpg", "b.jpg"):
            h.drop(f"campaigns/{name}")
        h.wait_arrived("campaigns/a.jpg", "campaigns/b.jpg")
        h.wait_rest()
        h.cli("unpublish", h.local("campaigns/a.jpg"), code=0)
        h.wait("a.jpg gone from the portal", lambda: sorted(h.portal.assets()) == ["campaigns/b.jpg"])
        h.wait_rest()
        check_equal(h.explain("campaigns/a.jpg")["state"], "unpublished", "explain")
        newest = h.receipts(h.local("campaigns/a.jpg"))[0]
        check_equal((newest["action"], newest["outcome"]), ("unpublish", "unpublished"), "receipt")

        os.utime(h.local("campaigns/a.jpg"))
        h.drop("campaigns/a.jpg", picture("rewritten"))
        h.mark()
        h.cli("scan", code=0)
        h.mark("second.jpg")
        h.stop()
        h.drop("campaigns/a.jpg", picture("rewritten while it was down"))
        h.start()
        h.mark("third.jpg")
        check("campaigns/a.jpg" not in h.portal.assets(), "it came back by itself")

        said = h.cli("publish", "--wait", h.local("campaigns/a.jpg"), code=0)
        check_equal(h.portal.bytes("campaigns/a.jpg"), picture("rewritten while it was down"), "content after publish --wait")
        check("1 asset has been queued up for publishing" in said.out + said.err, f"publish says: {said}")
        check_equal(h.explain("campaigns/a.jpg")["state"], "published", "explain")


@promise("unpublishing several asks for --yes where nobody can be asked, and does nothing without it")
def _():
    with House() as h:
        h.start()
        paths = [f"campaigns/spring/{i}.jpg" for i in range(3)] + ["campaigns/keep.jpg"]
        for path in paths:
            h.drop(path)
        h.wait_arrived(*paths)
        h.wait_rest()
        said = h.cli("unpublish", h.local("campaigns/spring"), code=64)
        check("--yes" in said.err and "3" in said.out + said.err, f"unpublish says: {said}")
        h.mark()
        check(set(paths) <= set(h.portal.assets()), "it took something away")
        h.cli("unpublish", "--yes", h.local("campaigns/spring"), code=0)
        h.wait("three gone", lambda: sorted(h.portal.assets()) == ["campaigns/keep.jpg", "campaigns/marker.jpg"])


@promise("publish sends an unchanged asset again, and tells what lies in no watched folder")
def _():
    with House() as h:
        h.start()
        h.mark()
        h.cli("publish", "--wait", h.local("campaigns/marker.jpg"), code=0)
        check_equal(len(h.portal.packages("campaigns/marker.jpg")), 2, "uploads")
        receipts = h.receipts(h.local("campaigns/marker.jpg"))
        check_equal(len(receipts), 2, "receipts")
        check(receipts[0]["asked_by"] != "(watched)", "the receipt does not say who asked")
        outside = h.dir / "outside.jpg"
        outside.write_bytes(picture("outside"))
        said = h.cli("publish", outside)
        check(said.code != 0 and "watched folder" in said.out + said.err, f"publish says: {said}")
        check_equal(h.explain(outside)["state"], "not-watched", "explain")


@promise("without an agent: status exits 3, reading commands answer from the ledger, the others exit 69")
def _():
    with House() as h:
        h.start()
        h.mark()
        h.stop()
        said = h.cli("status", code=3)
        check("the agent is not running" in said.out, f"status says: {said}")
        status = h.status()
        check_equal((status["verdict"], status["agent"]["running"]), ("attention", False), "status")
        check_equal(status["folders"][0]["published"], 1, "published")
        check_equal(h.explain("campaigns/marker.jpg")["state"], "published", "explain")
        check_equal([r["outcome"] for r in h.receipts(h.local("campaigns/marker.jpg"))], ["published"], "receipts")
        check_equal(h.items(), [], "queue list")
        for command in (["publish", h.local("campaigns/marker.jpg")], ["unpublish", h.local("campaigns/marker.jpg")], ["scan"], ["reload"]):
            h.cli(*command, code=69)
        check_equal(sorted(h.portal.assets()), ["campaigns/marker.jpg"], "assets")


@promise("explain says for every file what becomes of it, and by which rule")
def _():
    with House(folders={"campaigns": {"exclude": ["**/drafts/**"]}, "slow": {"settle": "1h", "settle_unseen": "1h"}}) as h:
        h.start()
        h.drop("campaigns/drafts/a.jpg")
        h.drop("campaigns/empty.jpg", b"")
        h.drop("slow/still.jpg")
        h.drop("campaigns/marker.jpg")
        h.wait_arrived("campaigns/marker.jpg")
        h.wait("settling", lambda: h.explain("slow/still.jpg")["state"] == "settling")

        ignored = h.explain("campaigns/drafts/a.jpg")
        line = h.profile_file.read_text()[:h.profile_file.read_text().index("exclude:")].count("\n") + 1
        check_equal((ignored["state"], ignored["rule"]), ("ignored", {"file": str(h.profile_file), "line": line}), "ignored")
        check(f"house.yaml:{line}" in h.cli("explain", h.local("campaigns/drafts/a.jpg"), code=0).out, "no file:line on the screen")
        check_equal(h.explain("campaigns/.hidden.jpg")["state"], "ignored", "built-in rule")
        held = h.explain("campaigns/empty.jpg")
        check_equal((held["state"], held["cause"], held["reason"]), ("held", "asset.empty", "the file is empty (empty_files: hold)"), "held")
        check(h.explain("slow/still.jpg")["until"], "settling says no time")
        check_equal(h.explain("/etc/hostname")["state"], "not-watched", "outside")
        check_equal(h.explain("campaigns/marker.jpg")["state"], "published", "published")

        with open(h.local("slow/open.jpg"), "wb") as file:
            file.write(picture("half"))
            file.flush()
            h.wait("being-written", lambda: h.explain("slow/open.jpg")["state"] == "being-written")

        h.portal.stop()
        h.drop("campaigns/waits.jpg")
        h.wait("waiting", lambda: h.explain("campaigns/waits.jpg").get("cause") == "tenant.unreachable")
        check_equal(h.explain("campaigns/waits.jpg")["state"], "waiting", "waiting")


@promise("an overflow of the kernel's queue is noticed, and every file arrives")
def _():
    limit = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    if limit > 100_000:
        raise Failed(f"fs.inotify.max_queued_events is {limit}: too many events to make; lower it to 16384")
    with House() as h:
        h.start()
        h.mark()
        h.agent.send_signal(signal.SIGSTOP)
        storm = os.fsencode(h.local("campaigns/storm-"))
        for i in range(limit):  # made and removed: two events or more each
            name = storm + str(i % 512).encode()
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
            os.unlink(name)
        paths = [f"campaigns/lost/{folder}/{i}.jpg" for folder in ("a", "b") for i in range(10)] + ["campaigns/lost.jpg"]
        for path in paths:
            h.drop(path)
        h.agent.send_signal(signal.SIGCONT)
        h.wait("a line in the log", lambda: h.logged("overflow"))
        h.wait_arrived(*paths, seconds=60)
        h.wait_rest()
        check_equal(sorted(h.portal.assets()), sorted([*paths, "campaigns/marker.jpg"]), "assets")
        h.mark("after.jpg")


TOKEN = re.compile(rb"eyJ[\w-]{20,}\.eyJ")  # how every JWT, and every access token of the local tenant, begins


def secrets_of(h):
    secrets = {"client secret": h.secret.read_text().strip()}
    key = h.dir / "house.key"
    if key.exists():
        secrets["private key"] = key.read_text().splitlines()[1]
    return secrets


def search(where, data, secrets):
    for what, secret in secrets.items():
        check(secret.encode() not in data, f"the {what} stands in {where}")


def everything_said(h):
    for command in (["status"], ["status", "--json"], ["receipts", "--json"], ["queue", "list", "--json"], ["check", "--print"], ["token", "check"],
                    ["test"], ["explain", "--json", h.local("campaigns/marker.jpg")], ["key", "show"], ["key", "export"]):
        said = h.cli(*command)
        yield f"brandsync {' '.join(map(str, command))}", (said.out + said.err).encode()
    for file in [h.log, h.portal.log, h.portal.dir / "journal.jsonl", *h.state.rglob("*")]:
        if file.is_file():
            yield str(file), file.read_bytes()
    for name in ("cmdline", "environ"):
        try:
            yield f"/proc/PID/{name}", open(f"/proc/{h.agent.pid}/{name}", "rb").read()
        except PermissionError:
            pass  # nobody but root may look


@promise("no secret stands in any output, log, ledger, command line or environment")
def _():
    for mode in ("jwt", "oauth"):
        with House(mode=mode) as h:
            secrets = secrets_of(h)
            h.start()
            h.mark()
            right = h.secret.read_text()
            h.secret.write_text(right.strip() + "-wrong")  # refusals are said at length
            h.portal.stop()
            h.portal.start()
            h.drop("campaigns/refused.jpg")
            h.wait_status("attention", lambda s: s["verdict"] == "attention")
            places = dict(everything_said(h))
            check(len(places) > 15, f"only {sorted(places)}")
            h.secret.write_text(right)
            h.cli("token", "check", code=0)
            h.wait_arrived("campaigns/refused.jpg")
            for where, data in [*places.items(), *everything_said(h)]:
                search(where, data, secrets)
                check(not TOKEN.search(data), f"a token stands in {where}")


main()
