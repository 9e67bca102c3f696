# SPDX-License-Identifier: GPL-3.0-or-later
"""Who owns what, looked at every 20 ms or so from outside of the nodes."""

import os
import threading
import time

from lab import ADDRESS

VOLUME = {'ALPHA': 'alpha', 'BETA': 'beta'}


class Watch(threading.Thread):
    """Who owns what, all the time; from this machine, not through a node."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        self.lab = lab
        self.over = threading.Event()
        self.still = set()
        self.two = {}           # what -> ms
        self.samples = 0
        self.owners = {}        # service -> set of nodes, of the last look

    def pid(self, node):
        try:
            with open(os.path.join(self.lab.folder, node, 'pid')) as file:
                return file.read().strip()
        except OSError:
            return None

    def look(self, node):
        """(mounted volumes, addresses) of a node that runs."""
        if node in self.still or os.path.exists(
                os.path.join(self.lab.folder, node, 'cut')):
            return set(), set()
        pid = self.pid(node)
        try:
            with open('/proc/%s/mounts' % pid) as file:
                mounts = {line.split()[1] for line in file
                          if line.startswith('/dev/disk')}
            with open('/proc/%s/net/fib_trie' % pid) as file:
                local, last = set(), ''
                for line in file:
                    if '|--' in line:
                        last = line.split()[-1]
                    elif 'host LOCAL' in line:
                        local.add(last)
        except OSError:
            return set(), set()
        if os.path.exists(os.path.join(self.lab.folder, node, 'cut')):
            return set(), set()
        return ({s for s, v in VOLUME.items() if '/srv/' + v in mounts},
                {s for s, a in ADDRESS.items() if a in local})

    def run(self):
        last = time.monotonic()
        while not self.over.is_set():
            seen = {node: self.look(node) for node in ('n0', 'n1')}
            now = time.monotonic()
            for kind, what in enumerate(('volume', 'address')):
                for service in VOLUME:
                    have = [n for n in seen if service in seen[n][kind]]
                    if len(have) > 1:
                        key = '%s of %s' % (what, service)
                        self.two[key] = (self.two.get(key, 0) +
                                         (now - last) * 1000)
            self.owners = {
                service: {n for n in seen if service in seen[n][0] and
                          service in seen[n][1]} for service in VOLUME}
            self.samples += 1
            last = now
            time.sleep(0.02)

    def owns_all(self, node):
        return all(self.owners.get(s) == {node} for s in VOLUME)

    def all_owned(self):
        return all(len(self.owners.get(s, ())) == 1 for s in VOLUME)

    def end(self):
        self.over.set()
        self.join()
