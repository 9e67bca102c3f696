# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes of a server hold in memory: pages of their processes that
nothing else has, and what is in their file systems in RAM. What the kernel
takes for sockets and inodes is not counted."""

import os
import threading

# A node's own; stores are in /dev/shm, databases of ctdb below /run.
IN_RAM = ('/dev/shm', '/run', '/tmp')
FIELDS = {'Pss_Anon:': 'private', 'Pss_Shmem:': 'shared'}
KIB = 1024


def of_processes(group, name=None):
    """Bytes of the processes of a cgroup, or of those of a name: a page that
    N of them share counts 1/N for each. Mapped files in RAM (`shared') are
    counted where they are as files."""
    found = dict.fromkeys(FIELDS.values(), 0)
    count = 0
    with open(os.path.join(group, 'cgroup.procs')) as procs:
        pids = procs.read().split()
    for pid in pids:
        try:
            with open('/proc/%s/comm' % pid) as comm:
                if name and comm.read().strip() != name:
                    continue
            with open('/proc/%s/smaps_rollup' % pid) as text:
                for line in text:
                    words = line.split()
                    if words[0] in FIELDS:
                        found[FIELDS[words[0]]] += int(words[1]) * KIB
            count += 1
        except OSError:
            pass            # it ended meanwhile
    return dict(found, processes=count)


def in_files(server, node, places=IN_RAM):
    total, seen = 0, set()
    for place in places:
        path = server.inside(node, place)
        device = os.stat(path).st_dev
        if device not in seen:
            seen.add(device)
            fs = os.statvfs(path)
            total += (fs.f_blocks - fs.f_bfree) * fs.f_frsize
    return total


def of_node(server, node):
    return (of_processes(server.groups()[node])['private'] +
            in_files(server, node))


def of_store(server, node):
    """(bytes of the files of all stores of a node, bytes private to its
    mirrord)"""
    total = 0
    top = server.inside(node, '/dev/shm/samba-mirror')
    for folder, _, files in os.walk(top):
        for name in files:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                pass
    return total, of_processes(server.groups()[node], 'mirrord')['private']


class Sampler:
    """Calls a function again and again, beside what is measured, and keeps
    the greatest of each of the numbers that it returns."""

    def __init__(self, function, interval=0.05):
        self.function, self.interval = function, interval
        self.most, self.count = None, 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while True:
            now = self.function()
            self.most = now if self.most is None else \
                tuple(map(max, self.most, now))
            self.count += 1
            if self.stop.wait(self.interval):
                return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
