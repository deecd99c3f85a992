#!/usr/bin/env python3
"""Stopping, killing and starting again: nothing is lost, nothing is sent twice, and a state has one agent and one tenant."""
import os, signal, sqlite3
from house import Failed, House, check, check_equal, main, picture, promise, run


def ledger(h, statement):
    db = sqlite3.connect(h.state / "ledger.db")
    try:
        return db.execute(statement).fetchall()
    finally:
        db.commit()
        db.close()


@promise("a restart sends nothing that is unchanged, and what changed or came while it was down")
def _():
    with House() as h:
        paths = [f"campaigns/{i}.jpg" for i in range(10)]
        for path in paths:
            h.drop(path)
        h.start()
        h.wait_arrived(*paths)
        h.wait_rest()
        check_equal(h.stop()[0], 0, "exit")
        before = len(h.portal.packages())
        h.start()
        h.wait_status("scanned", lambda s: s["folders"][0]["state"] == "watching")
        h.wait_rest()
        check_equal(len(h.portal.packages()), before, "packages after a restart without a change")
        h.stop()
        h.drop("campaigns/3.jpg", picture("changed"))
        h.drop("campaigns/new/came.jpg")
        h.start()
        h.wait_arrived("campaigns/3.jpg", "campaigns/new/came.jpg", *paths)
        h.mark()
        sent = [a for p in h.portal.packages()[before:] for a in p["assets"] if a[-1] != "/"]
        wanted = [f"{h.portal.root}/campaigns/{name}" for name in ("3.jpg", "marker.jpg", "new/came.jpg")]
        check_equal(sorted(sent), wanted, "assets sent after the second restart")


@promise("a touched file with the same content is not sent again")
def _():
    with House() as h:
        h.start()
        h.drop("campaigns/a.jpg")
        h.drop("campaigns/b.jpg")
        h.wait_arrived("campaigns/a.jpg", "campaigns/b.jpg")
        h.wait_rest()
        os.utime(h.local("campaigns/a.jpg"))
        h.drop("campaigns/b.jpg")  # the same bytes once more
        h.mark()
        h.cli("scan", code=0)
        h.mark("second.jpg")
        for name in ("a", "b"):
            check_equal(len(h.portal.packages(f"campaigns/{name}.jpg")), 1, f"uploads of {name}.jpg")
            check_equal(h.explain(f"campaigns/{name}.jpg")["state"], "published", "explain")


@promise("existing: skip leaves what was there, new files go, publish sends one of the old")
def _():
    with House(folders={"campaigns": {"existing": "skip"}}) as h:
        for i in range(5):
            h.drop(f"campaigns/old/{i}.jpg")
        h.start()
        h.wait_status("scanned", lambda s: s["folders"][0]["state"] == "watching")
        h.mark()
        check_equal(sorted(h.portal.assets()), ["campaigns/marker.jpg"], "assets")
        check_equal(h.explain("campaigns/old/1.jpg")["state"], "ignored", "explain")
        h.stop()
        h.start()
        h.mark("second.jpg")
        check_equal(sorted(h.portal.assets()), ["campaigns/marker.jpg", "campaigns/second.jpg"], "assets after a restart")
        said = h.cli("publish", "--wait", h.local("campaigns/old/1.jpg"), code=0)
        h.wait_arrived("campaigns/old/1.jpg")
        check_equal(sorted(h.portal.assets()), ["campaigns/marker.jpg", "campaigns/old/1.jpg", "campaigns/second.jpg"], f"assets after {said}")
        h.drop("campaigns/old/2.jpg", picture("changed"))
        h.wait_arrived("campaigns/old/2.jpg")


@promise("an agent killed while it publishes 400 files loses none, and harms no neighbour")
def _():
    with House(uploaders=2, tenant={"package_assets": 5}) as h:
        theirs = picture("theirs")
        h.portal.put("campaigns/0/theirs.jpg", theirs)
        check_equal(h.portal.bytes("campaigns/0/theirs.jpg"), theirs, "what somebody else published")
        paths, interrupted = [], 0
        for least in (3, 12, 20, 6):
            for i in range(len(paths), len(paths) + 100):
                paths.append(f"campaigns/{i % 4}/{i:03}.jpg")
                h.drop(paths[-1], picture(i, 100_000))
            before = len(h.portal.packages())
            h.start()
            h.wait(f"{least} packages", lambda: len(h.portal.packages()) >= before + least, every=0.01)
            h.kill()
            interrupted += len(h.portal.assets()) < len(paths) + 1
            check_equal(ledger(h, "PRAGMA integrity_check"), [("ok",)], "ledger")
        check(interrupted > 0, "it was always too quick to be killed at work")
        h.start()
        h.wait_arrived(*paths, seconds=90)
        h.wait_rest()
        check_equal(h.portal.bytes("campaigns/0/theirs.jpg"), theirs, "the neighbour")
        check_equal(len(h.portal.assets()), 401, "assets")
        check_equal(h.portal.property("campaigns/0/theirs.jpg", "jcr:content/metadata/dc:title"), "theirs", "the neighbour's title")
        h.stop()
        check_equal(ledger(h, "PRAGMA integrity_check"), [("ok",)], "ledger")


@promise("a second agent on the same state exits 75 and disturbs nobody")
def _():
    with House() as h:
        h.start()
        h.mark()
        said = h.brandsyncd(75)
        check("another agent" in said.err and str(h.agent.pid) in said.err, f"it does not say who: {said}")
        h.mark("second.jpg")
        check_equal(h.status()["verdict"], "ok", "verdict")


@promise("a ledger of a newer version is refused with 78 and left alone")
def _():
    with House() as h:
        h.start()
        h.mark()
        h.stop()
        ledger(h, "PRAGMA user_version = 999")
        said = h.brandsyncd(78)
        check("version 999" in said.err, f"it does not say why: {said}")
        check_equal(ledger(h, "PRAGMA user_version"), [(999,)], "version")
        check_equal(ledger(h, "SELECT count(*) FROM receipt")[0][0] > 0, True, "receipts")


@promise("another tenant or root for the same state is refused with 78")
def _():
    with House() as h:
        h.start()
        h.mark()
        h.stop()
        usual = dict(h.maps["tenant"])
        for key, word, value in (("url", "tenant", "https://127.0.0.1:1/"), ("root", "root", "/content/dam/mac/other")):
            h.maps["tenant"] = {**usual, key: value}
            h.write_profile()
            said = h.brandsyncd(78)
            for text in (f"this state belongs to {word}", usual[key].rstrip("/"), value.rstrip("/")):
                check(text in said.err, f"no {text!r} in {said}")
        h.maps["tenant"] = usual
        h.write_profile()
        h.start()
        h.mark("second.jpg")


def big_upload(h, name, bytes=1 << 30):
    """A big file that is being sent."""
    with open(h.local(f"campaigns/{name}"), "wb") as file:
        file.truncate(bytes)
    h.wait("the big file under way", lambda: any(u["state"] == "active" and u["bytes_done"] > 1 << 20 for u in h.status()["uploaders"]),
           every=0.02)


@promise("SIGTERM stops within 10 s, idle, in the middle of a big upload, and when the portal hangs")
def _():
    with House() as h:
        h.start()
        h.mark()
        for what in ("idle", "sending", "hanging"):
            if what != "idle":
                big_upload(h, "big.mov")
            if what == "hanging":
                h.portal.freeze()
            code, seconds = h.stop()
            h.portal.thaw()
            check_equal(code, 0, f"exit when {what}")
            check(seconds < 10, f"it took {seconds:.1f} s when {what}")
            check(h.portal.bytes("campaigns/big.mov") is None, "it was sent to its end: nothing was interrupted")
            if what == "idle":
                h.start()
            elif what == "sending":
                os.unlink(h.local("campaigns/big.mov"))
                h.start()
                h.mark("between.jpg")
        os.unlink(h.local("campaigns/big.mov"))
        h.drop("campaigns/after.jpg")
        h.start()
        h.wait_arrived("campaigns/after.jpg")


main()
