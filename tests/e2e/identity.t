#!/usr/bin/env python3
"""Tokens, secrets and a tenant that is away: what renews itself, what waits, and that no asset pays for it."""
import signal
from house import House, check, check_equal, main, promise


def publish_receipts(h):
    return [r for r in h.receipts() if r["action"] == "publish"]


def check_nothing_failed(h, tries):
    receipts = publish_receipts(h)
    check_equal({r["outcome"] for r in receipts}, {"published"}, "outcomes")
    check_equal({r["tries"] for r in receipts}, {tries}, "tries")
    check_equal(h.status()["queue"]["failed"], 0, "failed items")


@promise("oauth server-to-server works")
def _():
    with House(mode="oauth") as h:
        check("Token retrieved successfully" in h.cli("token", "check", code=0).out, "token check")
        check("replication succeeded on all 4 uploaders." in h.cli("test", code=0).out, "test")
        h.start()
        h.mark()
        check_equal({e["path"].rstrip("/") for e in h.portal.journal("token")}, {"/ims/token/v3"}, "token requests")


@promise("a token that expires while publishing is renewed, and no item fails")
def _():
    with House(token_life="3s") as h:
        h.start()
        count = 0
        while len(h.portal.journal("token")) < 4:
            count += 1
            h.drop(f"campaigns/{count:03}.jpg")
            h.wait_arrived(f"campaigns/{count:03}.jpg")
            check(count < 300, "300 files and no fourth token: it is not renewed")
        h.wait_rest()
        check_equal({e["status"] for e in h.portal.journal("token")}, {200}, "answers to token requests")
        check_equal(len(publish_receipts(h)), count, "receipts")
        check_equal(len({r["tries"] for r in publish_receipts(h)}), 1, "tries differ")
        check_equal(h.status()["queue"]["failed"], 0, "failed items")
        check_equal(h.logged("tenant-away"), [], "the tenant was called away")


@promise("a token that the portal no longer knows is renewed once, after a 401")
def _():
    with House() as h:
        h.start()
        h.mark()
        tries = publish_receipts(h)[0]["tries"]
        h.portal.stop()
        h.portal.start()
        before = len(h.portal.journal())
        h.mark("second.jpg")
        after = [(e["kind"], e["status"]) for e in h.portal.journal()[before:]]
        check_equal(after, [("other", 401), ("token", 200), ("add", 200)], "requests")
        check_nothing_failed(h, tries)
        check_equal(h.logged("tenant-away"), [], "the tenant was called away")


def wrong_secret(mode):
    with House(mode=mode) as h:
        right = h.secret.read_text()
        h.secret.write_text("wrong-" + right)
        h.start()
        paths = [f"campaigns/{i}.jpg" for i in range(3)]
        for path in paths:
            h.drop(path)
        status = h.wait_status("attention", lambda s: s["verdict"] == "attention" and s["queue"]["ready"] == 4)
        check_equal((status["tenant"]["state"], status["tenant"]["cause"]), ("attention", "auth.secret"), "tenant")
        check(status["tenant"]["until"], "it does not say until when")
        check_equal((status["queue"]["failed"], status["queue"]["held"]), (0, 0), "failed and held items")
        check("client secret" in h.cli("status").out, "the cause is not said")
        explained = h.explain(paths[0])
        check_equal((explained["state"], explained["cause"]), ("waiting", "auth.secret"), "explain")
        refused = h.cli("token", "check")
        check(refused.code != 0 and "client secret" in refused.out + refused.err, f"token check with the wrong secret: {refused}")
        check_equal(h.portal.stats()["packages"], 0, "packages")
        h.secret.write_text(right)
        check("Token retrieved successfully" in h.cli("token", "check", code=0).out, "token check")
        h.wait_arrived(*paths, seconds=30)  # long before the next try by itself
        h.wait_status("ok", lambda s: s["verdict"] == "ok")
        check_equal(len({r["tries"] for r in publish_receipts(h)}), 1, "tries differ")


@promise("a wrong client secret (oauth) makes everything wait, until token check finds it corrected")
def _():
    wrong_secret("oauth")


@promise("a wrong client secret (jwt) makes everything wait, until token check finds it corrected")
def _():
    wrong_secret("jwt")


@promise("a portal that is away makes everything wait, and all arrives when it is back")
def _():
    with House() as h:
        h.start()
        h.mark()
        tries = publish_receipts(h)[0]["tries"]
        h.portal.stop()
        paths = [f"campaigns/{folder}/{i}.jpg" for folder in ("a", "b") for i in range(5)]
        for path in paths:
            h.drop(path)
        status = h.wait_status("waiting", lambda s: s["verdict"] == "waiting")
        check_equal((status["tenant"]["state"], status["tenant"]["cause"]), ("waiting", "tenant.unreachable"), "tenant")
        check(status["tenant"]["until"], "it does not say until when")
        check_equal(h.cli("status").code, 0, "exit of status")
        h.portal.start()
        h.wait_arrived(*paths, seconds=60)
        h.wait_status("ok", lambda s: s["verdict"] == "ok")
        check_nothing_failed(h, tries)


main()
