"""Plans of prune --layers against a model that tries out what each removal frees.

plans.py SEED PLANS: fills $OVLCTL_ROOT with random layers, and compares the plans of random
options. Some are carried out on a copy, where du(1) must agree. Prints what differs.
"""
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import time

ROOT = os.environ["OVLCTL_ROOT"]
rnd = random.Random(int(sys.argv[1]))
bad = 0


def ovlctl(*args, root=ROOT):
    return subprocess.run(["ovlctl", "--root", root, "--sync=none", *args], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def random_tar(path, n):
    with tarfile.open(path, "w") as tar:
        for i in range(rnd.randrange(1, 6)):
            member = tarfile.TarInfo(f"f{rnd.randrange(12)}")
            data = os.urandom(rnd.choice((0, 10, 5000, 20000, 70000)))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        member = tarfile.TarInfo(f"d{n}/link")
        member.type = tarfile.LNKTYPE
        member.linkname = tar.getmembers()[0].name
        tar.addfile(member)


def fill():
    images = []
    for n in range(rnd.randrange(8, 24)):
        on = ["-p", rnd.choice(images[-6:])] if images and rnd.random() < .8 else []
        random_tar("layer.tar", n)
        layer = ovlctl("import", *on, "layer.tar").strip()
        if layer not in images:
            images.append(layer)
        if rnd.random() < .2:
            ovlctl("tag", layer, f"name{n}")
    for n in range(rnd.randrange(2, 6)):
        layer = ovlctl("create", rnd.choice(images)).strip()
        if rnd.random() < .3:
            ovlctl("tag", layer, f"writable{n}")


def layers(root):
    """By id, with its directory."""
    out = {}
    for layer in json.loads(ovlctl("ls", "-J", root=root))["layers"]:
        layer["dir"] = os.path.join(root, layer["driver"], layer["id"])
        out[layer["id"]] = layer
    return out


AGES = (0, 1000, 3600, 5000, 100000, 500000)


def ago():
    """Not so near to an age that counts that it is reached while the plan is made."""
    while True:
        age = rnd.choice((600, 9000, 900000)) * rnd.random()
        if min(abs(age - a) for a in AGES) > 60:
            return int((time.time() - age) * 1e9)


def set_times():
    for layer in layers(ROOT).values():
        created = ago()
        with open(layer["dir"] + "/.layer") as f:
            lines = [l for l in f if not l.startswith("created")]
        lines.insert(-1, f"created {created // 10**9}\n")
        with open(layer["dir"] + "/.layer", "w") as f:
            f.writelines(lines)
        if rnd.random() < .8:
            used = ago()
            open(layer["dir"] + "/.used", "w").close()
            os.utime(layer["dir"] + "/.used", ns=(used, used))


class Model:
    def __init__(self, root):
        self.layers = layers(root)
        self.links = {}  # of each inode: blocks, all links, links in each layer
        self.hints = {}  # of each layer: the blocks of its hints, whose they are
        for name, layer in self.layers.items():
            self.take(name, layer["dir"])
            for at, dirs, files in os.walk(layer["dir"]):
                for entry in dirs + files:
                    self.take(name, os.path.join(at, entry))
            short = os.path.join(root, layer["driver"], "l", layer["link"])
            if os.path.lexists(short):
                self.take(name, short)
            hints = layer["dir"] + "/.children"
            if os.path.isdir(hints):
                self.hints[name] = os.lstat(hints).st_blocks, set(os.listdir(hints))
            layer["use"] = self.last_use(layer)

    def take(self, layer, path):
        st = os.lstat(path)
        links = 1 if os.path.isdir(path) and not os.path.islink(path) else st.st_nlink
        inode = self.links.setdefault((st.st_dev, st.st_ino), [st.st_blocks, links, {}])
        inode[2][layer] = inode[2].get(layer, 0) + 1

    @staticmethod
    def last_use(layer):
        with open(layer["dir"] + "/.layer") as f:
            words = dict(line.split(None, 1) for line in f if " " in line)
        use = int(words["created"]) * 10**9 + int(words.get("created-ns", 0))
        try:
            return max(use, os.lstat(layer["dir"] + "/.used").st_mtime_ns)
        except FileNotFoundError:
            return use

    def freed(self, gone):
        blocks = sum(b for b, links, where in self.links.values()
                     if sum(n for layer, n in where.items() if layer in gone) == links)
        return 512 * (blocks + sum(b for layer, (b, whose) in self.hints.items()
                                   if layer not in gone and whose <= gone))

    def children(self, of):
        return {n for n, l in self.layers.items() if l["parent"] == of}

    def closed(self, kept):
        """With all layers below them."""
        kept = set(kept)
        while True:
            below = {self.layers[n]["parent"] for n in kept} & set(self.layers)
            if below <= kept:
                return kept
            kept |= below

    def plan(self, writable, unused_for, last, limit):
        every = set(self.layers)
        use = lambda n: self.layers[n]["use"]
        free = every - self.closed(
            n for n, l in self.layers.items()
            if l["names"] or (l["kind"] == "writable" and not writable))
        now = int(time.time()) - unused_for
        kept = self.closed(n for n in free if use(n) // 10**9 > now) & free
        chosen = set()
        for n in sorted(free, key=use, reverse=True):
            if last and n not in self.closed(chosen):
                chosen.add(n)
                last -= 1
        kept |= self.closed(chosen) & free
        gone, plan, total = set(), [], self.freed(free)
        while limit is None or total - self.freed(gone) > limit:
            ripe = [n for n in free - kept - gone if self.children(n) <= gone]
            if not ripe:
                break
            n = min(ripe, key=use)
            before = self.freed(gone)
            gone.add(n)
            plan.append((n, self.freed(gone) - before))
        return plan


def random_options(model):
    writable = rnd.random() < .5
    unused_for = rnd.choice((0, 0) + AGES)
    last = rnd.choice((0, 0, 1, 2, 4))
    limit = None
    args = ["prune", "--layers", "-J"]
    if rnd.random() < .4:
        limit = rnd.randrange(1, 2 + model.freed(set(model.layers)))
        args.append(f"--keep-bytes={limit}")
    if writable:
        args.append("--writable")
    if unused_for != 3600:
        args.append(f"--unused-for={unused_for}")
    if last:
        args.append(f"--keep-last={last}")
    return args, (writable, unused_for, last, limit)


def planned(text):
    return [(g["name"], g["bytes"]) for g in json.loads(text) if g["what"] == "layer"]


def du(root):
    return int(subprocess.run(["du", "-s", "-B1", root], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.split()[0])


def complain(args, what, got, wanted):
    global bad
    bad += 1
    print(f"seed {sys.argv[1]}: {' '.join(args)}: {what}:\n{got}\nwanted:\n{wanted}")


def carry_out(args, wanted):
    copy = ROOT + ".copy"
    subprocess.run(["cp", "-a", ROOT, copy], check=True)
    model = Model(copy)
    before, ids = du(copy), set(model.layers)
    got = planned(ovlctl(*args, root=copy))
    freed = before - du(copy)
    left = set(layers(copy))
    shutil.rmtree(copy)
    if got != wanted:
        complain(args, "done", got, wanted)
    if freed != sum(b for _, b in got):
        complain(args, "bytes", freed, got)
    if ids - left != {n for n, _ in wanted}:
        complain(args, "left", left, wanted)


fill()
set_times()
m = Model(ROOT)
gone = 0
for i in range(int(sys.argv[2])):
    options, how = random_options(m)
    want = m.plan(*how)
    plan = planned(ovlctl(*options, "--dry-run"))
    gone += len(plan)
    if plan != want:
        complain(options, "planned", plan, want)
    if i % 8 == 0:
        carry_out(options, want)
print("right" if not bad and gone else f"{bad} of {sys.argv[2]} plans are wrong, {gone} layers")
