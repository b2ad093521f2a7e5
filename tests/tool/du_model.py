# Computes what "ovlctl du -J" must print in another way: merges whole trees in memory and
# compares the inodes that are visible. Prints a line for each layer, and the total.
#	ovlctl ls -J | du_model.py ROOT
import json
import os
import stat
import sys

root = sys.argv[1].encode()
WHY = ("overwritten", "deleted", "metadata")


def mark(path, name):
    for prefix in (b"trusted.overlay.", b"user.overlay."):
        try:
            return os.getxattr(path, prefix + name, follow_symlinks=False)
        except OSError:
            pass
    return None


def walk(top):
    """{path: stat} of all that is in top, and of itself as b''."""
    out = {b"": os.lstat(top)}
    for at, dirs, files in os.walk(top):
        for name in dirs + files:
            out[os.path.relpath(os.path.join(at, name), top)] = os.lstat(os.path.join(at, name))
    return out


def inode(st):
    return (st.st_dev, st.st_ino)


def above(path):
    while path:
        yield path
        path = os.path.dirname(path)


def is_dir(st):
    return stat.S_ISDIR(st.st_mode)


class Tree:
    """What a layer changes."""

    def __init__(self, l):
        at = os.path.join(root, l["driver"].encode(), l["id"].encode())
        self.top = next(p for p in (os.path.join(at, n) for n in (b"diff", b"root", b"upper"))
                        if os.path.isdir(p))
        self.whole = l["driver"] == "overlay" and l["kind"] == "image"
        self.hides_all = l["parent"] and not self.whole and not l["lowers"]
        self.own = walk(self.top)
        self.gone = {p for p, st in self.own.items()
                     if stat.S_ISCHR(st.st_mode) and st.st_rdev == 0}
        self.files = {p for p, st in self.own.items() if p not in self.gone and not is_dir(st)}
        self.opaque = set()
        self.came = {}  # directories that were moved: from where
        self.data_of = {}  # files that have the data of a lower one: of which
        for p in sorted(self.own):
            if p and p not in self.gone:
                self.read_marks(p, os.path.join(self.top, p))

    def read_marks(self, p, at):
        to = mark(at, b"redirect")
        was = self.origin(p)
        if to:
            was = to[1:] if to[:1] == b"/" else os.path.join(
                os.path.dirname(self.origin(os.path.join(os.path.dirname(p), b"x"))), to)
        if is_dir(self.own[p]):
            if mark(at, b"opaque") == b"y":
                self.opaque.add(p)
            if to:
                self.came[p] = was
        elif stat.S_ISREG(self.own[p].st_mode) and mark(at, b"metacopy") is not None:
            self.data_of[p] = was

    def origin(self, p):
        for u in above(p):
            if u in self.came:
                return self.came[u] + p[len(u):]
        return p

    def place(self, p):
        """Where what was at p below is now."""
        for u in above(p):
            for new, old in self.came.items():
                if old == u:
                    return new + p[len(u):]
        return p

    def hides(self, p, st):
        """Why what was at p below is not visible; None: it is."""
        q = self.place(p)
        if p in self.data_of.values():
            return None
        if q in self.own and is_dir(self.own[q]) and not is_dir(st):
            return "overwritten"
        for u in above(q):
            if u in self.gone:
                return "deleted"
            if u in self.files:
                mine = self.own[u]
                if u != q or inode(mine) == inode(st):
                    return "overwritten" if u != q else None
                return "metadata" if self.same(q, p, st) else "overwritten"
            if u in self.opaque:
                return "overwritten" if q in self.own else "deleted"
            if u in self.came:
                return None
        if self.hides_all:
            return "overwritten" if q in self.own else "deleted"
        return "deleted" if self.whole and q not in self.own else None

    def same(self, q, p, st):
        mine = self.own[q]
        if stat.S_IFMT(mine.st_mode) != stat.S_IFMT(st.st_mode) or mine.st_size != st.st_size:
            return False
        if mine.st_mtime_ns == st.st_mtime_ns:
            return True
        if not stat.S_ISREG(st.st_mode):
            return False
        with open(os.path.join(self.top, q), "rb") as a, open(self.lower[p][0], "rb") as b:
            return a.read() == b.read()

    def merge(self, below):
        """The view {path: [(file, stat)]} of the layer, and the bytes that it hides."""
        view = {}
        why = {}
        self.lower = {p: have[0] for p, have in below.items()}
        for p, have in below.items():
            for file, st in have:
                reason = self.hides(p, st)
                if reason:
                    reason = min(reason, why.get(inode(st), (reason,))[0], key=WHY.index)
                    why[inode(st)] = (reason, st.st_blocks * 512)
                elif not self.whole:
                    view.setdefault(self.place(p), []).append((file, st))
        for p, st in self.own.items():
            if p not in self.gone:
                view.setdefault(p, []).insert(0, (os.path.join(self.top, p), st))
        left = {inode(st) for have in view.values() for _, st in have}
        sums = dict.fromkeys(WHY, 0)
        for i, (reason, n) in why.items():
            if i not in left:
                sums[reason] += n
        return view, sums


def main():
    layers = {(l["driver"], l["id"]): l for l in json.load(sys.stdin)["layers"]}
    seen = set()

    def count(stats):
        new = {inode(st): st.st_blocks * 512 for st in stats if inode(st) not in seen}
        seen.update(new)
        return sum(new.values())

    views, own, sums, parent = {}, {}, {}, {}
    for k in sorted(layers, key=lambda k: layers[k]["depth"]):
        l = layers[k]
        at = os.path.join(root, k[0].encode(), k[1].encode())
        up = (k[0], l["parent"])
        parent[k] = up if up in layers else None
        files = list(walk(at).values())
        if k[0] == "overlay2":
            files.append(os.lstat(os.path.join(root, b"overlay2/l", l["link"].encode())))
        files += [os.lstat(os.path.join(root, b"names", n.replace("/", "%2F").encode()))
                  for n in l["names"]]
        own[k] = count(files)
        views[k], sums[k] = Tree(l).merge(views.get(parent[k], {}))
        for why, n in sums.get(parent[k], {}).items():
            sums[k][why] += n

    def stack(k):
        while k:
            yield k
            k = parent[k]

    for k in sorted(layers, key=lambda k: k[1]):
        mine = list(stack(k))
        shared = sum(own[x] for x in mine[1:]
                     if any(x in stack(o) for o in layers if o not in mine))
        print(k[1], own[k], shared, *(sums[k][why] for why in WHY))
    print("total", sum(own.values()) + count(walk(root).values()))


main()
