#!/usr/bin/python3 -SE
"""powercut.py CGROUP DEVICE.. - cut a node off its disks.

CGROUP is the (frozen) cgroup of the node, each DEVICE a loop device of it.
With - as CGROUP only step 2 is done, as a fence at the disk does it: the node
keeps its page cache. With + that is undone.
1. Every ext4 or xfs on a DEVICE that a process of the node has mounted is shut
   down without flushing: dirty page cache and unwritten log are lost.
2. Each DEVICE is redirected past the end of its backing file, so that nothing
   written later by the dying mount can reach the disk that the partner uses.
"""
import fcntl
import os
import struct
import sys

# EXT4_IOC_SHUTDOWN == XFS_IOC_GOINGDOWN == _IOR('X', 125, __u32)
SHUTDOWN = 0x8004587D
NOLOGFLUSH = 2
LOOP_SET_STATUS64, LOOP_GET_STATUS64 = 0x4C04, 0x4C05


def mounts(cgroup):
    """(device number, path) of all mounts seen by the processes of cgroup"""
    seen = set()
    with open(cgroup + "/cgroup.procs") as procs:
        pids = procs.read().split()
    for pid in pids:
        try:
            namespace = os.readlink("/proc/%s/ns/mnt" % pid)
            if namespace in seen:
                continue
            seen.add(namespace)
            with open("/proc/%s/mountinfo" % pid) as info:
                for line in info:
                    f = line.split()
                    yield f[2], "/proc/%s/root%s" % (pid, f[4])
        except OSError:
            pass    # a process that ended while we looked


def shut_down(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, SHUTDOWN, struct.pack("I", NOLOGFLUSH))
    finally:
        os.close(fd)


def disconnect(device, offset=1 << 50):
    fd = os.open(device, os.O_RDWR)
    info = bytearray(232)   # struct loop_info64: 3 x u64, offset, sizelimit ..
    fcntl.ioctl(fd, LOOP_GET_STATUS64, info)
    struct.pack_into("QQ", info, 24, offset, 0)
    fcntl.ioctl(fd, LOOP_SET_STATUS64, bytes(info))
    os.close(fd)


def main():
    cgroup, devices = sys.argv[1], sys.argv[2:]
    if cgroup == "+":
        for device in devices:
            disconnect(device, 0)
        return
    numbers = {"7:%d" % os.minor(os.stat(d).st_rdev) for d in devices}
    done = set()
    for number, path in mounts(cgroup) if cgroup != "-" else ():
        if number in numbers and number not in done:
            done.add(number)
            shut_down(path)
    for device in devices:
        disconnect(device)


main()
