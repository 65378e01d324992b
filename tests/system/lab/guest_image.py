# SPDX-FileCopyrightText: The oVirt OVN authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests boot: the kernel of a distribution, and a RAM disk made of busybox.

The RAM disk's init has udhcpc configure every link as it appears, and says so on the
console. Under emulation it takes two or three seconds.
"""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

KERNEL, RAM_DISK = "kernel", "ram-disk"
MODULES = Path("/lib/modules")
# What a link on virtio takes; each is left out where the kernel has it built in.
WANTED = ("af_packet", "virtio_pci", "virtio_net")

_INIT = """#!/bin/sh
/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec </dev/console >/dev/console 2>&1
for module in /modules/*; do
    insmod "$module"
done
known=
while :; do
    for path in /sys/class/net/eth*; do
        link=${path##*/}
        case "$known " in
            *" $link "*) ;;
            *)
                [ -e "$path" ] || continue
                known="$known $link"
                ip link set "$link" up
                udhcpc -i "$link" -s /configure -q -T 1 -t 60 &
                ;;
        esac
    done
    # Never idle for long: see COMMAND_LINE of domain.py.
    read -r -t 0.02 _
done
"""
_CONFIGURE = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
[ -z "$mtu" ] || ip link set "$interface" mtu "$mtu"
echo "guest: $interface $(cat "/sys/class/net/$interface/address") $ip/$mask mtu $mtu"
"""
_FILE, _PROGRAM, _FOLDER, _LINK = 0o100644, 0o100755, 0o040755, 0o120777


def find_kernel() -> tuple[Path, Path]:
    """Return a kernel and the folder of its modules; AssertionError if there is none."""
    for index in sorted(MODULES.glob("*/modules.dep"), reverse=True):
        modules = index.parent
        for kernel in (modules / "vmlinuz", Path("/boot", f"vmlinuz-{modules.name}")):
            if kernel.exists():
                return kernel, modules
    raise AssertionError("Guests need a kernel: run scripts/system-packages check as root.")


def make_image(folder: Path) -> None:
    """Make both in a folder, by these names; AssertionError if the machine has no parts for it."""
    kernel, modules = find_kernel()
    busybox = shutil.which("busybox")
    assert busybox is not None, "Guests need busybox."
    entries: dict[str, tuple[int, bytes]] = {
        "init": (_PROGRAM, _INIT.encode()),
        "configure": (_PROGRAM, _CONFIGURE.encode()),
        "busybox": (_PROGRAM, Path(busybox).read_bytes()),
        "bin/sh": (_LINK, b"/busybox"),
        **dict.fromkeys(("proc", "sys", "dev"), (_FOLDER, b"")),
    }
    for library in _libraries(Path(busybox)):
        entries[str(library).lstrip("/")] = (_PROGRAM, library.read_bytes())
    for number, module in enumerate(load_order((modules / "modules.dep").read_text(), WANTED)):
        # Its number keeps the order where a shell lists them.
        name = f"modules/{number:02}-{Path(module).name.partition('.')[0]}.ko"
        entries[name] = (_FILE, _decompress(modules / module))
    shutil.copy(kernel, folder / KERNEL)
    (folder / RAM_DISK).write_bytes(archive(entries))


def load_order(index: str, names: Sequence[str]) -> list[str]:
    """Return the files of modules and of all they rest on, as modules.dep has them, in order."""
    rests_on = {}
    for line in index.splitlines():
        file, _, others = line.partition(":")
        rests_on[file] = others.split()
    files = {Path(file).name.partition(".")[0]: file for file in rests_on}
    ordered: dict[str, None] = {}
    for name in names:
        if name in files:
            # What is needed first comes last in the index.
            ordered.update(dict.fromkeys([*reversed(rests_on[files[name]]), files[name]]))
    return list(ordered)


def _decompress(path: Path) -> bytes:
    """Return a module as insmod takes it."""
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix == ".gz":
        return gzip.decompress(content)
    if path.suffix == ".zst":
        unpack = ["zstd", "-d", "-c", str(path)]
        return subprocess.run(unpack, stdout=subprocess.PIPE, check=True).stdout
    return content


def _libraries(program: Path) -> list[Path]:
    """Return what a program is linked with, none if it is static."""
    done = subprocess.run(["ldd", str(program)], capture_output=True, text=True)
    words = done.stdout.split() if done.returncode == 0 else []
    return [Path(word) for word in words if word.startswith("/")]


def archive(entries: Mapping[str, tuple[int, bytes]]) -> bytes:
    """Return files (mode and content by path) as the kernel takes them for a RAM disk.

    The form is cpio's "newc", see the kernel's driver-api/early-userspace/buffer-format.
    """
    folders: dict[str, tuple[int, bytes]] = {}
    for path in entries:
        for folder in reversed(Path(path).parents[:-1]):
            folders[str(folder)] = (_FOLDER, b"")
    content = b""
    everything = {**folders, **entries, "TRAILER!!!": (0, b"")}
    for number, (path, (mode, data)) in enumerate(everything.items()):
        name = path.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        content += head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
    return content
