#!/usr/bin/env python3
"""Watched folders: where they stand on the portal, what is moved into them, and what happens when one is gone."""
import os
from house import House, check, check_equal, main, picture, promise

PUBLIC = "jcr:content/publicFolder"


@promise("two folders stand where `to` says, with their parents; public holds for the folder and below, not above")
def _():
    with House(folders={"campaigns": {"to": "brand/2026/campaigns", "public": True}, "press": {}}) as h:
        h.start()
        h.drop("campaigns/spring/a.jpg")
        h.drop("press/b.jpg")
        h.wait_arrived_as({"campaigns/spring/a.jpg": "brand/2026/campaigns/spring/a.jpg", "press/b.jpg": "press/b.jpg"})
        h.wait_rest()
        public = {path: node["properties"].get(PUBLIC) for path, node in h.portal.nodes().items() if node["kind"] == "folder"}
        check_equal(public, {"brand": "false", "brand/2026": "false", "brand/2026/campaigns": "true", "brand/2026/campaigns/spring": "true",
                             "press": "false"}, "folders and their public property")


@promise("a directory moved into a folder arrives with all below it, and is watched from then on")
def _():
    with House() as h:
        h.start()
        h.mark()
        deep = h.dir / "outside" / "deep"
        deep.mkdir(parents=True)
        for i in range(5):
            (deep / f"{i}.jpg").write_bytes(picture(i))
        os.rename(h.dir / "outside", h.local("campaigns/in"))
        h.wait_arrived(*(f"campaigns/in/deep/{i}.jpg" for i in range(5)))
        h.drop("campaigns/in/deep/later.jpg")
        h.wait_arrived("campaigns/in/deep/later.jpg")


@promise("a polled folder finds what came and what changed; settle: 0s and empty_files: publish do as they say")
def _():
    with House(folders={"polled": {"watch": "poll", "poll_every": "1s"}, "quick": {"settle": "0s", "empty_files": "publish"}}) as h:
        h.start()
        h.drop("polled/a.jpg")
        h.drop("quick/empty.jpg", b"")
        h.drop("quick/b.jpg")
        h.wait_arrived("polled/a.jpg", "quick/b.jpg", "quick/empty.jpg")
        check_equal([f["state"] for f in h.wait_rest()["folders"]], ["polling", "watching"], "states")
        h.drop("polled/a.jpg", picture("changed"))
        h.drop("polled/new/c.jpg")
        h.wait_arrived("polled/a.jpg", "polled/new/c.jpg")


@promise("a folder that is gone is halted, unpublishes nothing, and goes on by itself when it is back")
def _():
    with House(folders={"campaigns": {}, "press": {}}) as h:
        h.start()
        h.mark()
        os.rename(h.local("campaigns"), h.dir / "away")
        status = h.wait_status("halted", lambda s: s["folders"][0]["state"] == "halted")
        check_equal((status["verdict"], status["folders"][1]["state"]), ("attention", "watching"), "verdict, and state of the other folder")
        check("folder.gone" in status["trouble"][0]["why"], f"trouble: {status['trouble']}")
        h.drop("press/b.jpg")
        h.wait_arrived("press/b.jpg")
        check("campaigns/marker.jpg" in h.portal.assets(), "it was unpublished")
        (h.dir / "away" / "while.jpg").write_bytes(picture("while"))
        os.rename(h.dir / "away", h.local("campaigns"))
        h.wait_arrived("campaigns/while.jpg", "campaigns/marker.jpg")
        h.mark("after.jpg")
        h.wait_status("ok", lambda s: s["verdict"] == "ok")
        check_equal(len(h.portal.packages("campaigns/marker.jpg")), 1, "uploads of what did not change")


@promise("a folder that is not there at the start is waited for")
def _():
    with House() as h:
        os.rmdir(h.local("campaigns"))
        h.start()
        h.wait_status("halted", lambda s: s["folders"][0]["state"] == "halted")
        h.drop("campaigns/a.jpg")
        h.wait_arrived("campaigns/a.jpg")


@promise("a deleted file stays on the portal; one deleted before it was sent fails nowhere")
def _():
    with House() as h:
        h.portal.stop()
        for name in ("a", "b"):
            h.drop(f"campaigns/{name}.jpg")
        h.start()
        h.wait_status("waiting", lambda s: s["verdict"] == "waiting" and s["queue"]["ready"] >= 2)
        os.unlink(h.local("campaigns/a.jpg"))
        h.portal.start()
        h.wait_arrived("campaigns/b.jpg")
        os.unlink(h.local("campaigns/b.jpg"))
        h.mark()
        check_equal(sorted(h.portal.assets()), ["campaigns/b.jpg", "campaigns/marker.jpg"], "assets")
        check_equal(h.status()["verdict"], "ok", "verdict")
        check_equal({r["outcome"] for r in h.receipts()}, {"published"}, "outcomes")


@promise("a file that changes while it is sent is broken off, and its new content goes once")
def _():
    with House() as h:
        h.start()
        h.mark()
        with open(h.local("campaigns/big.mov"), "wb") as file:
            file.truncate(600 << 20)
        h.wait("the big file under way", lambda: any(u["bytes_done"] > 1 << 20 for u in h.status()["uploaders"]), every=0.02)
        h.portal.freeze()
        with open(h.local("campaigns/big.mov"), "r+b") as file:
            file.write(b"changed")
        h.portal.thaw()
        h.wait("big.mov", lambda: "campaigns/big.mov" in h.portal.assets(), seconds=60)
        h.wait_rest()
        with open(f"{h.portal.dir}{h.portal.root}/campaigns/big.mov", "rb") as file:
            check_equal(file.read(8), b"changed\0", "content")
        outcomes = [r["outcome"] for r in h.receipts(h.local("campaigns/big.mov"))]
        sent = len(h.portal.packages("campaigns/big.mov"))
        was_late = outcomes == ["published", "published"] and sent == 2  # all of it had gone before it changed
        check(was_late or (outcomes == ["published", "changed-meanwhile"] and sent == 1), f"{outcomes} in {sent} packages")


@promise("of two names that would be one on the portal the first stays, the other is held with both names, until it is renamed")
def _():
    with House() as h:
        h.start()
        first = h.drop("campaigns/Logo-.png")
        h.wait_arrived("campaigns/Logo-.png")
        h.wait_rest()
        h.drop("campaigns/Logo?.png")
        h.wait("the second is held", lambda: h.explain("campaigns/Logo?.png")["state"] == "held")
        said = h.explain("campaigns/Logo?.png")
        check('"Logo?.png" and "Logo-.png" would both be "Logo-.png"' in said["sentence"], f"both names are said: {said}")
        check_equal(said["cause"], "asset.collision", "cause")
        check_equal(h.portal.bytes("campaigns/Logo-.png"), first, "the first one's bytes")
        check_equal(h.status()["verdict"], "attention", "verdict")
        h.cli("publish", h.local("campaigns/Logo?.png"), code=65)
        check_equal(h.portal.bytes("campaigns/Logo-.png"), first, "the first one's bytes, still")
        os.rename(h.local("campaigns/Logo?.png"), h.local("campaigns/Logo2.png"))
        h.wait_arrived("campaigns/Logo2.png")
        h.wait_rest()
        check_equal(h.status()["verdict"], "ok", "verdict after the rename")


main()
