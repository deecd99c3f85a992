#!/usr/bin/env python3
"""The road of an asset: from a file dropped into a watched folder to the portal and its receipt, with everything that stays behind."""
import hashlib, os, socket, time
from house import House, Failed, check, check_equal, main, picture, promise

STATUS = {"verdict", "sentence", "profile", "title", "agent", "tenant", "queue", "uploaders", "folders", "window", "token", "certificate",
          "last_publish", "oldest_ready", "self_test", "done_by"}
STATUS_PARTS = {
    "agent": {"running", "pid", "version", "since"},
    "tenant": {"url", "transport", "state", "cause", "until"},
    "queue": {"ready", "sending", "waiting", "scheduled", "held", "failed"},
    "uploaders": {"id", "state", "reason", "asset", "assets", "bytes_done", "bytes_total", "rate", "since"},
    "folders": {"path", "to", "state", "reason", "assets", "published", "left", "held", "public"},
    "window": {"open", "closes_at", "opens_at"},
    "token": {"state", "expires_at"},
    "certificate": {"expires_at"},
}
RECEIPT = {"id", "job", "path", "remote", "action", "outcome", "bytes", "sha256", "uploader", "tries", "asked_by", "seen_at", "settled_at",
           "ready_at", "sent_at", "confirmed_at", "package", "proof", "server"}


@promise("token check and test say that it works, with and without an agent")
def _():
    with House() as h:
        for _ in range(2):
            check("Token retrieved successfully" in h.cli("token", "check", code=0).out, "token check does not say so")
            said = h.cli("test", code=0).out
            check("replication succeeded on all 4 uploaders." in said, f"test says: {said}")
            if not h.agent:
                h.start()


@promise("a dropped file arrives byte-equal, with title and type, in a public folder")
def _():
    with House(folders={"campaigns": {"public": True}}) as h:
        h.start()
        data = h.drop("campaigns/hero.jpg")
        h.wait_arrived("campaigns/hero.jpg")
        check_equal(h.portal.page("/asset/campaigns/hero.jpg"), data, "what the page hands out")
        check_equal(h.portal.property("campaigns/hero.jpg", "jcr:content/metadata/dc:title"), "hero.jpg", "title")
        check_equal(h.portal.property("campaigns/hero.jpg", "jcr:content/metadata/dc:format"), "image/jpeg", "type")
        check_equal(h.portal.property("campaigns", "jcr:content/publicFolder"), "true", "public property")


@promise("receipt, explain and status tell the whole story of an asset")
def _():
    with House() as h:
        h.start()
        data = h.drop("campaigns/hero.jpg")
        h.wait_arrived("campaigns/hero.jpg")
        status = h.wait_status("verdict ok", lambda s: s["verdict"] == "ok")

        receipts = [r for r in h.receipts(h.local("campaigns/hero.jpg")) if r["action"] == "publish"]
        check_equal(len(receipts), 1, "receipts")
        receipt = receipts[0]
        check_equal(RECEIPT - set(receipt), set(), "fields that the receipt lacks")
        check_equal(set(receipt["server"]), {"status", "message"}, "server's part of the receipt")
        wanted = {"outcome": "published", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "proof": "accepted",
                  "path": h.local("campaigns/hero.jpg"), "remote": h.portal.root + "/campaigns/hero.jpg", "asked_by": "(watched)"}
        check_equal({k: receipt[k] for k in wanted}, wanted, "receipt")
        times = [receipt[k] for k in ("seen_at", "settled_at", "ready_at", "sent_at", "confirmed_at")]
        check_equal(times, sorted(times), "order of the receipt's times")

        explained = h.explain("campaigns/hero.jpg")
        check_equal(explained["state"], "published", "explain")
        check_equal(explained["receipt"], receipt["id"], "receipt that explain names")
        check(h.cli("explain", h.local("campaigns/hero.jpg"), code=0).out.lstrip("`").startswith("published"), "explain begins otherwise")

        check_equal(STATUS - set(status), set(), "fields that status lacks")
        for part, keys in STATUS_PARTS.items():
            one = status[part][0] if isinstance(status[part], list) else status[part]
            check_equal(keys - set(one), set(), f"fields that status.{part} lacks")
        check_equal(status["queue"], dict.fromkeys(STATUS_PARTS["queue"], 0), "queue")
        check_equal([u["state"] for u in status["uploaders"]], ["idle"] * 4, "uploaders")
        check_equal({u["reason"] for u in status["uploaders"]}, {"nothing ready"}, "reasons of the uploaders")
        folder = status["folders"][0]
        check_equal((folder["state"], folder["published"], folder["left"]), ("watching", 1, 0), "folder")
        check_equal(h.cli("status").code, 0, "exit of status")


@promise("an atomic save publishes once")
def _():
    with House() as h:
        h.start()
        for version in (1, 2):
            data = h.drop("campaigns/save.jpg.tmp", picture(version))
            os.rename(h.local("campaigns/save.jpg.tmp"), h.local("campaigns/save.jpg"))
            h.wait_arrived("campaigns/save.jpg")
            h.mark(f"after{version}.jpg")
            check_equal(len(h.portal.packages("campaigns/save.jpg")), version, "uploads")
            check_equal(h.portal.bytes("campaigns/save.jpg"), data, "content")
        check_equal(sorted(h.portal.assets()), ["campaigns/after1.jpg", "campaigns/after2.jpg", "campaigns/save.jpg"], "assets")


@promise("100 rewrites in a second publish the last content, in at most two uploads")
def _():
    with House() as h:
        h.start()
        for i in range(100):
            h.drop("campaigns/busy.jpg", picture(i, 1000 + i))
            time.sleep(0.01)  # the pace of the writer: no waiting for anything
        h.wait_arrived("campaigns/busy.jpg")
        h.mark()
        check_equal(h.portal.bytes("campaigns/busy.jpg"), picture(99, 1099), "content")
        check(len(h.portal.packages("campaigns/busy.jpg")) <= 2, f"{len(h.portal.packages('campaigns/busy.jpg'))} uploads")


@promise("a tree made and filled in one breath arrives whole")
def _():
    with House() as h:
        h.start()
        paths = [f"campaigns/a{i}/b{j}/c{k}/{n}.jpg" for i in range(3) for j in range(3) for k in range(2) for n in range(3)]
        for path in paths:
            h.drop(path)
        h.wait_arrived(*paths, seconds=60)
        h.wait_rest()
        check_equal(sorted(h.portal.assets()), sorted(paths), "assets")


@promise("300 small files in 3 folders travel in packages when the portal takes its time, with a receipt each")
def _():
    with House() as h:
        h.start()
        h.mark("first.jpg")
        h.portal.freeze()
        paths = [f"campaigns/{folder}/{i:03}.jpg" for folder in ("north", "south", "west") for i in range(100)]
        for path in paths:
            h.drop(path, picture(path, 800))
        h.wait_status("all ready", lambda s: s["queue"]["ready"] + s["queue"]["sending"] >= 300 and s["queue"]["waiting"] == 0)
        h.portal.thaw()
        h.wait_arrived(*paths, seconds=60)
        h.wait_rest()
        receipts = [r for r in h.receipts() if r["action"] == "publish" and not r["path"].endswith("first.jpg")]
        check_equal(sorted(r["path"] for r in receipts), sorted(map(h.local, paths)), "receipts")
        check_equal({r["outcome"] for r in receipts}, {"published"}, "outcomes")
        packages = [p for p in h.portal.packages() if any(a[-1] != "/" for a in p["assets"])]
        check(len(packages) <= 40, f"{len(packages)} packages for 300 files")
        check_equal(len(h.portal.assets_received()), 301, "assets in the journal")
        check(len({r["uploader"] for r in receipts}) > 1, "one uploader did it all")


ODD_NAMES = {  # local -> on the portal (product.md 3, "Names")
    b" both ends ": "-both ends-",
    b"colon:and|bar.jpg": "colon-and-bar.jpg",
    b"100%.jpg": "100-.jpg",
    b"a*[b]#{c}?&.jpg": "a--b---c---.jpg",
    b"back\\slash.jpg": "back-slash.jpg",
    "Mu\u0308nchen.jpg".encode(): "M\u00fcnchen.jpg",
    b"latin-\xfc.jpg": "latin--.jpg",
    b"two\nlines.jpg": "two-lines.jpg",
    "\U0001f600 smile.jpg".encode(): "\U0001f600 smile.jpg",
    b"subassets": "subassets-",
    "\u65e5\u672c\u8a9e.jpg".encode(): "\u65e5\u672c\u8a9e.jpg",
    b"quote\"and'.jpg": "quote\"and'.jpg",
    b"UPPER.JPG": "UPPER.JPG",
    b"-n.jpg": "-n.jpg",
    b"Q1.2026/x^y;z+.d/a.jpg": "Q1-2026/x-y-z--d/a.jpg",
}


@promise("odd names arrive under their mapped names, and keep the local one as title")
def _():
    with House() as h:
        h.start()
        names = {b"campaigns/" + local: "campaigns/" + remote for local, remote in ODD_NAMES.items()}
        for local in names:
            h.drop(local)
        h.wait_arrived_as(names)
        h.wait_rest()
        check_equal(sorted(h.portal.assets()), sorted(names.values()), "assets")
        check_equal(h.portal.property("campaigns/100-.jpg", "jcr:content/metadata/dc:title"), "100%.jpg", "title")
        check_equal(h.portal.property("campaigns/Q1-2026", "jcr:content/jcr:title"), "Q1.2026", "title of a folder")
        receipts = h.receipts(h.local(b"campaigns/latin-\xfc.jpg"))
        check_equal([r["outcome"] for r in receipts], ["published"], "receipts of a name that is not UTF-8")
        check("path_base64" in receipts[0], "its raw bytes are not told")
        for local in names:
            check_equal(h.explain(local)["state"], "published", f"explain {local!r}")


@promise("names that are never assets are ignored, include and exclude decide about the others")
def _():
    rules = {"include": ["**/*.jpg", "**/*.pdf"], "exclude": ["**/drafts/**", "*-old.jpg"]}
    never = [".hidden.jpg", "@eaDir/thumb.jpg", "#recycle/gone.jpg", "~$brief.pdf", "page.idlk", "Thumbs.db", "desktop.ini", "a.jpg.part",
             "a.jpg.crdownload", "a.tmp", "a.jpg~", ".nfs0001", ".brandsync.yaml", "spring.collection.yaml", "hero.xmp",
             ".git/x.jpg", "drafts/a.jpg", "deep/drafts/below/a.jpg", "hero-old.jpg", "movie.mp4"]
    wanted = ["campaigns/hero.jpg", "campaigns/deep/brief.pdf", "campaigns/draft.jpg"]
    with House(folders={"campaigns": rules}) as h:
        for name in never[::2]:
            h.drop(f"campaigns/{name}")
        h.start()
        for path in [*wanted, *(f"campaigns/{name}" for name in never[1::2])]:
            h.drop(path)
        h.wait_arrived(*wanted)
        h.mark()
        check_equal(sorted(h.portal.assets()), sorted([*wanted, "campaigns/marker.jpg"]), "assets")
        for name in never:
            check_equal(h.explain(f"campaigns/{name}")["state"], "ignored", f"explain {name}")


@promise("symbolic links are not followed, FIFOs and sockets are ignored")
def _():
    with House() as h:
        outside = h.dir / "outside"
        outside.mkdir()
        (outside / "secret.jpg").write_bytes(picture("secret"))
        links = [("link.jpg", outside / "secret.jpg"), ("linked", outside), ("loop", h.assets / "campaigns"), ("dangling.jpg", "nowhere")]
        for name, target in links[:2]:
            os.symlink(target, h.local(f"campaigns/{name}"))
        os.mkfifo(h.local("campaigns/pipe.jpg"))
        h.start()
        for name, target in links[2:]:
            os.symlink(target, h.local(f"campaigns/{name}"))
        os.mkfifo(h.local("campaigns/pipe2.jpg"))
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(h.local("campaigns/socket.jpg"))
            h.mark()
            h.cli("scan", code=0)
            status = h.mark("second.jpg")
        check_equal(sorted(h.portal.assets()), ["campaigns/marker.jpg", "campaigns/second.jpg"], "assets")
        check_equal(status["queue"]["held"], 0, "held")


@promise("an empty file is held with its reason, and goes once it has content")
def _():
    with House() as h:
        h.start()
        h.drop("campaigns/empty.jpg", b"")
        h.wait_status("held", lambda s: s["queue"]["held"] == 1)
        explained = h.explain("campaigns/empty.jpg")
        check_equal((explained["state"], explained["cause"]), ("held", "asset.empty"), "explain")
        check("the file is empty" in explained["reason"], f"reason: {explained['reason']}")
        check_equal([i["cause"] for i in h.items("--held")], ["asset.empty"], "queue list")
        h.drop("campaigns/empty.jpg")
        h.wait_arrived("campaigns/empty.jpg")
        check_equal(h.wait_rest()["queue"]["held"], 0, "held")


@promise("a file over 2 GiB - 1 is held and not sent")
def _():
    with House() as h:
        h.start()
        with open(h.local("campaigns/huge.mov"), "wb") as file:
            file.truncate(2 << 30)
        h.wait_status("held", lambda s: s["queue"]["held"] == 1)
        explained = h.explain("campaigns/huge.mov")
        check_equal(explained["state"], "held", "explain")
        check("larger than the portal's importer can take" in explained["reason"], f"reason: {explained['reason']}")
        h.mark()
        check_equal(sorted(h.portal.assets()), ["campaigns/marker.jpg"], "assets")
        check(h.portal.stats()["bytes"] < 1 << 20, "it was sent")


main()
