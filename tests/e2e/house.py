"""
The house under test: a local tenant, a profile, an agent and the operator's tool, as the real programs in a directory of their own.

A test file is a list of promises, each a function that builds what it needs:

    @promise("a dropped file arrives")
    def _():
        with House() as h:
            h.start()
            h.drop("campaigns/a.jpg", b"...")
            h.wait_arrived("campaigns/a.jpg")

    main()

BUILD_OUT names the directory of the programs (build/release beside the tests); E2E_PATIENCE=3 makes every deadline three times as
long; E2E_KEEP=1 leaves the directories. Nothing waits for a time to pass: conditions are polled, with generous deadlines. To see that
something does NOT happen, drop a marker after it and wait for that one. What was started ends by its pid, whatever happens.
"""
import atexit, ctypes, hashlib, io, json, os, pathlib, re, shutil, signal, socket, ssl, subprocess, sys, tempfile, time, traceback
import urllib.error, urllib.parse, urllib.request, zipfile

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD_OUT") or HERE.parent.parent / "build" / "release")
PATIENCE = float(os.environ.get("E2E_PATIENCE", "1"))
LONGEST_FILE_S = 280  # a file that takes longer hangs: it ends with a report
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class Failed(Exception):
    """The promise is broken; the text says how."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def check_equal(got, wanted, what):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def wait_until(what, condition, seconds=45, every=0.1, alive=lambda: None):
    """Polls until `condition()` is true, and returns what it gave. `alive` raises when waiting has become pointless."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        got = condition()
        if got:
            return got
        alive()
        if time.monotonic() > end:
            raise Failed(f"not within {seconds * PATIENCE:.0f} s: {what}; last seen: {got!r}")
        time.sleep(every)


def tail(path, lines=25):
    """The last lines, or what a sanitizer said from its first word on."""
    try:
        text = pathlib.Path(path).read_text(errors="replace").splitlines()
    except OSError as e:
        return [f"({e})"]
    said = [i for i, line in enumerate(text) if "Sanitizer" in line or "runtime error:" in line]
    return text[said[0]:][:2 * lines] if said else text[-lines:]


# --- processes: each ends by its pid, at the latest with this one ---------------------------------------------

running = []


def end_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(argv, log):
    """`log` receives both outputs."""
    with open(log, "ab") as out:
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=end_with_parent)
    running.append(process)
    return process


def end(process, how=signal.SIGTERM, seconds=20):
    """Returns (exit code, seconds it took)."""
    began = time.monotonic()
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.send_signal(how)
    try:
        process.wait(seconds * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise Failed(f"pid {process.pid} did not end within {seconds * PATIENCE:.0f} s of signal {how}")
    finally:
        if process in running:
            running.remove(process)
    return process.returncode, time.monotonic() - began


@atexit.register
def end_all():
    for process in list(running):
        if process.poll() is None:
            process.kill()
            process.wait()


class Result:
    """What a program said: code, out (text), err (text)."""

    def __init__(self, argv, done):
        self.argv, self.code = argv, done.returncode
        self.out, self.err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as e:
            raise Failed(f"no JSON ({e}) from {self}")

    def __str__(self):
        return f"{' '.join(map(str, self.argv))} -> exit {self.code}\n{self.out}{self.err}"


def run(program, *args, code=None, seconds=60, env=None):
    """`code`: the exit code that is wanted; None: any."""
    argv = [program, *args]
    try:
        done = subprocess.run([BUILD / program, *map(os.fsencode, args)], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=seconds * PATIENCE, preexec_fn=end_with_parent, env=env)
    except subprocess.TimeoutExpired:
        raise Failed(f"{argv} did not end within {seconds * PATIENCE:.0f} s")
    result = Result(argv, done)
    check(code is None or result.code == code, f"wanted exit {code}: {result}")
    return result


def free_port():
    """One outside of the range from which the kernel hands out its own, so that it is still free after a restart."""
    for _ in range(200):
        port = 15000 + int.from_bytes(os.urandom(2), "big") % 15000
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Failed("no free port")


# --- the tenant ---------------------------------------------------------------------------------------------------


class Portal:
    root = "/content/dam/mac/acme"

    def __init__(self, dir, token_life="24h"):
        self.dir, self.log, self.token_life = dir / "tenant", dir / "portal.log", token_life
        self.port, self.process, self.ready = free_port(), None, {}

    def start(self):
        file = self.dir / "portal.json"
        file.unlink(missing_ok=True)
        self.process = spawn([BUILD / "brandsync-portal", "--dir", self.dir, "--tenant", "acme", "--port", self.port, "--page-port", 0,
                              "--token-life", self.token_life], self.log)
        wait_until("portal.json", file.exists, alive=self.check_alive)
        self.ready = json.loads(file.read_text())

    def stop(self):
        process, self.process = self.process, None
        return end(process)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def check_alive(self):
        if self.process and self.process.poll() is not None:
            raise Failed("brandsync-portal ended: " + "\n".join(tail(self.log)))

    def register(self, *args):
        """The tenant and identity maps of a profile."""
        maps, at = {}, None
        for line in run("brandsync-portal", "register", "--dir", self.dir, *args, code=0).out.splitlines():
            key, _, value = line.partition(":")
            if not line.startswith(" "):
                at = maps.setdefault(key, {})
            elif not key.lstrip().startswith("#"):
                value = value.strip()
                at[key.strip()] = value[1:-1].split(", ") if value[0] == "[" else json.loads(value) if value[0] == '"' else value
        return maps

    # --- what it received

    def journal(self, kind=None):
        try:
            lines = (self.dir / "journal.jsonl").read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        entries = [json.loads(line) for line in lines if line.endswith(b"\n")]
        return [e for e in entries if kind in (None, e["kind"])]

    def packages(self, path=None):
        """The packages taken; with `path`, those that brought this asset (or, with a slash at the end, this folder)."""
        name = path and f"{self.root}/{path}"
        return [e for e in self.journal("add") if e["status"] == 200 and (not path or name in e.get("assets", []))]

    def assets_received(self):
        return [a for e in self.packages() for a in e.get("assets", []) if a[0] != "-" and a[-1] != "/"]

    def stats(self):
        return json.loads(self.page("/stats"))

    # --- what it has

    def nodes(self):
        """path below the root -> node {path, kind, bytes, sha256, properties}, replayed from the tenant's log."""
        nodes = {}
        try:
            lines = (self.dir / "nodes.log").read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return {}
        for line in lines:
            if not line.endswith(b"\n"):
                break
            change = json.loads(line)
            for gone in change["remove"]:
                nodes = {p: n for p, n in nodes.items() if p != gone and not p.startswith(gone + "/")}
            for put in change["put"]:
                nodes[put["path"]] = put
        return {p[len(self.root) + 1:]: n for p, n in nodes.items() if p.startswith(self.root + "/")}

    def assets(self):
        return {p: n for p, n in self.nodes().items() if n["kind"] == "asset"}

    def property(self, path, name):
        node = self.nodes().get(path)
        return node["properties"].get(name) if node else None

    def bytes(self, path):
        """An original as it lies in the tenant's directory; None: it is not there."""
        try:
            return pathlib.Path(f"{self.dir}{self.root}/{path}").read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def page(self, path):
        """What the page hands out, as a browser sees it; None: 404."""
        try:
            with urllib.request.urlopen(self.ready["page"].rstrip("/") + urllib.parse.quote(path), timeout=30 * PATIENCE) as reply:
                return reply.read()
        except urllib.error.HTTPError as e:
            if e.code == 404:
                return None
            raise

    # --- another client of it

    def post(self, path, body, **headers):
        trust = ssl.create_default_context(cafile=self.ready["ca"])
        request = urllib.request.Request(self.ready["portal"].rstrip("/") + path, body, headers)
        with urllib.request.urlopen(request, timeout=30 * PATIENCE, context=trust) as reply:
            return reply.read()

    def put(self, path, data):
        """An asset that somebody else publishes."""
        secret = self.dir / "other.secret"
        identity = self.register("--oauth", "--client-id", "other", "--scopes", "openid", "--secret-file", secret)["identity"]
        form = {"grant_type": "client_credentials", "client_id": "other", "client_secret": secret.read_text().strip(),
                "scope": ",".join(identity["scopes"])}
        token = json.loads(self.post("/ims/token/v3", urllib.parse.urlencode(form).encode()))["access_token"]
        self.post("/libs/sling/distribution/services/importers/default", package(f"{self.root}/{path}", data),
                  **{"Authorization": "Bearer " + token, "Content-Type": "application/octet-stream"})


NAMESPACES = ('xmlns:jcr="http://www.jcp.org/jcr/1.0" xmlns:nt="http://www.jcp.org/jcr/nt/1.0" '
              'xmlns:dam="http://www.day.com/dam/1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"')


def package(remote, data):
    """A content package with one asset of a plain name."""
    original = f"jcr_root{remote}/_jcr_content/renditions/original"
    entries = [
        (original, data),
        (f"{original}.dir/.content.xml", f'<jcr:root {NAMESPACES} jcr:primaryType="nt:file">'
                                         '<jcr:content jcr:primaryType="nt:resource" jcr:mimeType="image/jpeg"/></jcr:root>'),
        (f"jcr_root{remote}/.content.xml",
         f'<jcr:root {NAMESPACES} jcr:primaryType="dam:Asset"><jcr:content jcr:primaryType="dam:AssetContent">'
         '<metadata jcr:primaryType="nt:unstructured" dc:format="image/jpeg" dc:title="theirs"/></jcr:content></jcr:root>'),
        ("META-INF/vault/filter.xml", f'<workspaceFilter version="1.0"><filter root="{remote}"/></workspaceFilter>'),
    ]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip:
        for name, content in entries:
            zip.writestr(name, content)
    return out.getvalue()


# --- the profile ----------------------------------------------------------------------------------------------------


def yaml(value, indent=0):
    """Maps and lists of maps as blocks, the rest in a line, so that every key has a line of its own."""
    pad, lines = " " * indent, []
    for key, v in value.items():
        if isinstance(v, dict):
            lines += [f"{pad}{key}:", yaml(v, indent + 2)]
        elif isinstance(v, list) and v and isinstance(v[0], dict):
            lines.append(f"{pad}{key}:")
            for item in v:
                body = yaml(item, indent + 4)
                lines.append(f"{pad}  - {body.lstrip()}")
        elif isinstance(v, list):
            lines.append(f"{pad}{key}: [{', '.join(map(scalar, v))}]")
        else:
            lines.append(f"{pad}{key}: {scalar(v)}")
    return "\n".join(lines)


def scalar(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    text = str(v)
    return text if re.fullmatch(r"[A-Za-z0-9/][A-Za-z0-9/._:@-]*", text) else json.dumps(text, ensure_ascii=False)


# --- the house ------------------------------------------------------------------------------------------------------


class House:
    """
    folders  name -> settings of that watched folder; its directory is HOUSE/assets/NAME
    mode     jwt or oauth
    other keywords go to the top of the profile; tenant and identity are merged into what `register` said
    """

    def __init__(self, mode="jwt", folders=None, token_life="24h", tenant=None, identity=None, **top):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="brandsync-", dir=os.environ.get("TMPDIR")))
        self.assets, self.state = self.dir / "assets", self.dir / "state"
        self.secret, self.profile_file, self.log = self.dir / "client.secret", self.dir / "house.yaml", self.dir / "agent.log"
        self.portal, self.agent, self.mode, self.certificate = Portal(self.dir, token_life), None, mode, None
        self.folders = {"campaigns": {}} if folders is None else folders
        self.given = {"tenant": tenant or {}, "identity": identity or {}, "top": top}

    def __enter__(self):
        for name in self.folders:
            (self.assets / name).mkdir(parents=True)
        try:
            self.portal.start()
            self.maps = self.portal.register(*self.credential())
        except BaseException:
            self.close()
            raise
        self.write_profile()
        return self

    def __exit__(self, kind, error, trace):
        try:
            if error is None:
                self.end_well()
        except Failed as e:
            error = e
            raise
        finally:
            if error is not None and not hasattr(error, "report"):
                error.report = self.report()
            self.close()

    def end_well(self):
        """Both end without trouble: nothing crashes or leaks (with sanitizers) on the way out."""
        if self.agent:
            check_equal(self.stop()[0], 0, "exit of brandsyncd")
        if self.portal.process:
            check_equal(self.portal.stop()[0], 0, "exit of brandsync-portal")

    def close(self):
        for process in (self.agent, self.portal.process):
            if process:
                process.kill()
                end(process)
        if not os.environ.get("E2E_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    def credential(self):
        common = ["--client-id", "house", "--secret-file", self.secret]
        if self.mode == "oauth":
            return ["--oauth", *common]
        key, self.certificate = self.dir / "house.key", self.dir / "house.crt"
        run("brandsync", "key", "create", "--key", key, "--certificate-file", self.certificate, "-q", code=0)
        return ["--certificate", self.certificate, "--private-key", key, *common]

    # --- profile

    def profile(self):
        usual = {"existing": "publish", "settle": "300ms", "settle_unseen": "1s"}
        profile = {"version": 1, "title": "House", **self.maps,
                   "folders": [{"path": self.assets / name, **usual, **own} for name, own in self.folders.items()],
                   "retry": {"first": "500ms", "max": "5s"}, "state": self.state, **self.given["top"]}
        for section in ("tenant", "identity"):
            profile[section] = {**profile[section], **self.given[section]}
        return profile

    def write_profile(self):
        self.profile_file.write_text(yaml(self.profile()) + "\n")

    # --- agent

    def start(self):
        """The agent; returns when it answers."""
        socket_file = self.state / "control.sock"
        socket_file.unlink(missing_ok=True)
        self.agent = spawn([BUILD / "brandsyncd", "--profile", self.profile_file], self.log)
        wait_until("the agent's socket", socket_file.exists, alive=self.check_alive)

    def stop(self, how=signal.SIGTERM):
        """(exit code, seconds)"""
        process, self.agent = self.agent, None
        return end(process, how)

    def kill(self):
        self.stop(signal.SIGKILL)

    def check_alive(self):
        self.portal.check_alive()
        if self.agent and self.agent.poll() is not None:
            raise Failed(f"brandsyncd ended with {self.agent.returncode}")

    def brandsyncd(self, code):
        """An agent that is to end by itself."""
        return run("brandsyncd", "--profile", self.profile_file, code=code)

    def cli(self, *args, code=None, **more):
        return run("brandsync", "-p", self.profile_file, *args, code=code, **more)

    def logged(self, text):
        return [line for line in self.log.read_text(errors="replace").splitlines() if text in line]

    # --- asking

    def status(self):
        return self.cli("status", "--json").json()

    def explain(self, path):
        return self.cli("explain", "--json", self.local(path)).json()

    def receipts(self, *args):
        return self.cli("receipts", "--json", *args, code=0).json()["receipts"]

    def items(self, *args):
        return self.cli("queue", "list", "--json", *args, code=0).json()["items"]

    def wait(self, what, condition, seconds=45, every=0.1):
        return wait_until(what, condition, seconds, every, self.check_alive)

    def wait_status(self, what, condition, seconds=45):
        """Until a status fulfils the condition; returns it."""
        last = {}

        def look():
            last.clear()
            last.update(self.status())
            return condition(last)

        try:
            self.wait(what, look, seconds, every=0.2)
        except Failed as e:
            raise Failed(f"{e}\nstatus: {json.dumps(last)}")
        return last

    def wait_rest(self, seconds=60):
        """Until the agent has looked at everything and has nothing left to do by itself."""

        def is_resting(s):
            return (sum(s["queue"][k] for k in ("ready", "sending", "waiting")) == 0 and
                    all(f["left"] == 0 and f["state"] in ("watching", "polling") for f in s["folders"]))

        return self.wait_status("nothing left to do", is_resting, seconds)

    # --- files

    def local(self, path):
        """Bytes or text below assets/; an absolute path stays."""
        return os.path.join(os.fsencode(self.assets), path) if isinstance(path, bytes) else str(self.assets / path)

    def drop(self, path, data=None):
        """Writes a file (by default with bytes of its own), as a program that saves in place. Returns the bytes."""
        file = self.local(path)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        data = picture(path) if data is None else data
        with open(file, "wb") as out:
            out.write(data)
        return data

    def wait_arrived(self, *paths, seconds=45):
        """Until each of these, with the very bytes that lie here, is on the portal under the same name."""
        self.wait_arrived_as({p: p for p in paths}, seconds)

    def wait_arrived_as(self, names, seconds=45):
        def missing():
            for local, remote in names.items():
                with open(self.local(local), "rb") as file:
                    if self.portal.bytes(remote) != file.read():
                        return f"{local!r} as {remote!r}"
            return None

        def is_complete():
            missed["first"] = missing()
            return missed["first"] is None

        missed = {}
        try:
            self.wait(f"{len(names)} files on the portal, byte for byte", is_complete, seconds)
        except Failed as e:
            raise Failed(f"{e}; first missing: {missed['first']}")

    def mark(self, name="marker.jpg", folder="campaigns"):
        """Drops a marker and waits for it: what was dropped before it has been looked at as well."""
        self.drop(f"{folder}/{name}")
        self.wait_arrived(f"{folder}/{name}")
        return self.wait_rest()

    def report(self):
        lines = ["agent.log:", *tail(self.log), "portal.log:", *tail(self.portal.log, 5), "journal.jsonl:"]
        return "\n".join(lines + tail(self.portal.dir / "journal.jsonl", 8))


def picture(seed, size=4000):
    """Bytes that begin like a JPEG and are different for every seed."""
    block = hashlib.sha256(repr(seed).encode()).digest()
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + (block * (size // len(block) + 1))[:size]


# --- TAP ------------------------------------------------------------------------------------------------------------

promises = []


def promise(text):
    def add(body):
        promises.append((text, body))
        return body
    return add


def say(text):
    for line in text.splitlines():
        print("#", line.encode("ascii", "backslashreplace").decode())


def keep(number, text, body):
    began = time.monotonic()
    try:
        body()
    except (Exception, SystemExit) as e:
        print(f"not ok {number} - {text}")
        say("".join(traceback.format_exception_only(type(e), e)))
        say("".join(traceback.format_tb(e.__traceback__)[1:3]))
        say(getattr(e, "report", ""))
        return False
    print(f"ok {number} - {text} # {time.monotonic() - began:.1f} s")
    return True


def too_long(number, frame):
    raise Failed(f"the whole file takes longer than {LONGEST_FILE_S} s")


def main():
    """`NAME.t WORDS` keeps only the promises that have all the words."""
    words = sys.argv[1:]
    chosen = [p for p in promises if all(w in p[0] for w in words)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(int(LONGEST_FILE_S * PATIENCE))
    sys.stdout.reconfigure(line_buffering=True)
    print(f"1..{len(chosen)}")
    kept = [keep(i, text, body) for i, (text, body) in enumerate(chosen, 1)]
    sys.exit(0 if all(kept) else 1)
