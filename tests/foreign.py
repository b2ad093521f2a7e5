#!/usr/bin/python3
"""Makes the root directory of an engine, as the engine would have made it from an image:

	foreign.py docker|containers|containerd ROOT CONFIG NAME[,NAME...] LAYER.tar...

The layers are unpacked with the whiteouts of overlayfs, and recorded with their tar-split or
blob. The image is added to an existing root, except with containerd. "container ROOT IMAGE
NAME" adds a container to a root of containers/storage and prints the id of its layer.
"""
import base64
import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile

TIME = "2026-01-02T03:04:05.000000006Z"


def crc64(data):
    c = 0xFFFFFFFFFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ (0xD800000000000000 if c & 1 else 0)
    return (c ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def chain(parent, diff):
    return sha(f"sha256:{parent} sha256:{diff}".encode()) if parent else diff


def tar_split(data):
    """The tar as lines of tar-split."""
    lines, end = [], 0

    def line(**o):
        o["position"] = len(lines)
        lines.append(json.dumps(o, separators=(",", ":")))

    for m in tarfile.open(fileobj=io.BytesIO(data)):
        size = m.size if m.isreg() else 0
        line(type=2, payload=base64.b64encode(data[end : m.offset_data]).decode())
        raw = os.fsencode(m.name)
        try:
            name = {"name": raw.decode()}
        except UnicodeDecodeError:
            name = {"name_raw": base64.b64encode(raw).decode()}
        end = m.offset_data + size
        if size:
            crc = base64.b64encode(crc64(data[m.offset_data : end])).decode()
            line(type=1, **name, size=size, payload=crc)
        else:
            line(type=1, **name, payload=None)
    line(type=2, payload=base64.b64encode(data[end:]).decode())
    return gzip.compress("".join(x + "\n" for x in lines).encode())


def set_meta(path, m):
    os.lchown(path, m.uid, m.gid)
    if not m.issym():
        os.chmod(path, m.mode)
    for key, value in m.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            os.setxattr(path, key[13:], value.encode("utf-8", "surrogateescape"))
    ns = round(float(m.mtime) * 10**9)
    os.utime(path, ns=(ns, ns), follow_symlinks=False)


def unpack(data, tree):
    os.makedirs(tree)
    dirs = []
    tar = tarfile.open(fileobj=io.BytesIO(data))
    for m in tar:
        name = os.path.normpath(m.name)
        path = os.path.join(tree, name)
        base = os.path.basename(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if base == ".wh..wh..opq":
            prefix = "trusted" if os.environ.get("AS", "root") == "root" else "user"
            os.setxattr(os.path.dirname(path), prefix + ".overlay.opaque", b"y")
        elif base.startswith(".wh."):
            os.mknod(os.path.join(os.path.dirname(path), base[4:]), stat.S_IFCHR, 0)
        elif m.islnk():
            os.link(os.path.join(tree, os.path.normpath(m.linkname)), path)
        elif m.isdir():
            os.makedirs(path, exist_ok=True)
            dirs.append((path, m))
        elif m.issym():
            os.symlink(m.linkname, path)
            set_meta(path, m)
        elif m.isreg():
            with open(path, "wb") as f:
                f.write(tar.extractfile(m).read())
            set_meta(path, m)
    for path, m in reversed(dirs):
        set_meta(path, m)


def put(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data.encode() if isinstance(data, str) else data)


def load(path, empty):
    return json.load(open(path)) if os.path.exists(path) else empty


def put_layer(overlay, name, below, data):
    """A directory of the driver overlay or overlay2; below: the names of its lowers."""
    link = base64.b32encode(hashlib.sha256(name.encode()).digest())[:26].decode()
    put(f"{overlay}/{name}/link", link)
    os.makedirs(f"{overlay}/l", exist_ok=True)
    os.symlink(f"../{name}/diff", f"{overlay}/l/{link}")
    if below:
        links = [open(f"{overlay}/{b}/link").read() for b in below]
        put(f"{overlay}/{name}/lower", ":".join("l/" + x for x in links))
    for d in ("work", "merged"):
        os.makedirs(f"{overlay}/{name}/{d}")
    if data is None:
        os.makedirs(f"{overlay}/{name}/diff")
    else:
        unpack(data, f"{overlay}/{name}/diff")


def docker(root, config, layers, names):
    parent, below, ids = None, [], []
    db = f"{root}/image/overlay2"
    for data in layers:
        diff = sha(data)
        ids.append(diff)
        me, cache = chain(parent, diff), sha((parent or "").encode() + diff.encode())
        at = f"{db}/layerdb/sha256/{me}"
        if not os.path.exists(at):
            put_layer(f"{root}/overlay2", cache, below, data)
            put(f"{at}/diff", "sha256:" + diff)
            put(f"{at}/cache-id", cache)
            put(f"{at}/size", str(len(data)))
            put(f"{at}/tar-split.json.gz", tar_split(data))
            if parent:
                put(f"{at}/parent", "sha256:" + parent)
        parent, below = me, [cache] + below
    image = sha(config)
    put(f"{db}/imagedb/content/sha256/{image}", config)
    tags = load(f"{db}/repositories.json", {"Repositories": {}})
    for name in names:
        tags["Repositories"].setdefault(name.split(":")[0], {})[name] = "sha256:" + image
    put(f"{db}/repositories.json", json.dumps(tags))


def containers(root, config, layers, names):
    path = f"{root}/overlay-layers/layers.json"
    records = load(path, [])
    parent, below = None, []
    for data in layers:
        diff = sha(data)
        me = sha(f"{parent}+{diff}".encode()) if parent else diff
        if not any(r["id"] == me for r in records):
            put_layer(f"{root}/overlay", me, below, data)
            put(f"{root}/overlay-layers/{me}.tar-split.gz", tar_split(data))
            r = {"id": me, "created": TIME, "diff-digest": "sha256:" + diff, "diff-size": len(data)}
            records.append({**r, "parent": parent} if parent else r)
        parent, below = me, [me] + below
    put(path, json.dumps(records))
    image = sha(config)
    key = base64.b64encode(f"sha256:{image}".encode()).decode()
    put(f"{root}/overlay-images/{image}/={key}", config)
    path = f"{root}/overlay-images/images.json"
    images = load(path, [])
    images.append({"id": image, "names": names, "layer": parent, "created": TIME})
    put(path, json.dumps(images))


def bolt(path, *lines):
    tool = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tool/boltdb.py")
    text = "\n".join(lines).encode()
    put(path, subprocess.run([sys.executable, tool], input=text, stdout=-1, check=True).stdout)


def containerd(root, config, layers, names):
    snaps = f"{root}/io.containerd.snapshotter.v1.overlayfs"
    parent, last, blobs, records, keys, images = None, None, [], [], [], []

    def blob(data):
        put(f"{root}/io.containerd.content.v1.content/blobs/sha256/{sha(data)}", data)
        return {"digest": "sha256:" + sha(data), "size": len(data)}

    for n, data in enumerate(layers, 1):
        parent = chain(parent, sha(data))
        name = f"default/{n}/sha256:{parent}"
        unpack(data, f"{snaps}/snapshots/{n}/fs")
        blobs.append(blob(data))
        records += [f"bucket {name}", f"put id uvarint:{n}", "put kind \\x03"]
        records += [f"put size varint:{len(data)}"] + ([f"put parent {last}"] if last else []) + ["end"]
        keys += [f"bucket sha256:{parent}", f"put name {name}", "end"]
        last = name
    manifest = {"schemaVersion": 2, "config": blob(config), "layers": blobs}
    target = blob(json.dumps(manifest).encode())["digest"]
    for name in names:
        images += [f"bucket {name}", "bucket target", f"put digest {target}", "end", "end"]
    bolt(f"{snaps}/metadata.db", "bucket v1", "bucket snapshots", *records, "end", "end")
    images = ["bucket images", *images, "end"]
    keys = ["bucket snapshots", "bucket overlayfs", *keys, "end", "end"]
    meta = f"{root}/io.containerd.metadata.v1.bolt/meta.db"
    bolt(meta, "bucket v1", "bucket default", *images, *keys, "end", "end")


def container(root, image, name):
    images = load(f"{root}/overlay-images/images.json", [])
    parent = next(i["layer"] for i in images if image in i["names"])
    path = f"{root}/overlay-layers/layers.json"
    records = load(path, [])
    below, up = [], parent
    while up:
        below.append(up)
        up = next(r for r in records if r["id"] == up).get("parent")
    me = sha(name.encode())
    put_layer(f"{root}/overlay", me, below, None)
    records.append({"id": me, "parent": parent, "created": TIME, "names": [name + "-layer"]})
    put(path, json.dumps(records))
    path = f"{root}/overlay-containers/containers.json"
    all_of = load(path, [])
    all_of.append({"id": sha(me.encode()), "names": [name], "layer": me, "created": TIME})
    put(path, json.dumps(all_of))
    print(me)


def main(kind, root, config, names, *tars):
    os.umask(0o022)
    if kind == "container":
        return container(root, config, names)
    layers = [open(x, "rb").read() for x in tars]
    {"docker": docker, "containers": containers, "containerd": containerd}[kind](
        root, open(config, "rb").read(), layers, names.split(",") if names else []
    )


main(*sys.argv[1:])
