# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters of a server around a piece of work, the cost of a flush, the cost
of idle servers, and the rounds in which all of it is measured in turn."""

import collections
import ctypes
import os
import subprocess
import time

from lab import LabError, say
from report import percentile

LIBC = ctypes.CDLL(None, use_errno=True)
SECTOR = 512
TICK_US = 1000000 // os.sysconf('SC_CLK_TCK')


def syncfs(path):
    """Make a whole file system stable; errno as OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if LIBC.syncfs(handle) != 0:
            raise OSError(ctypes.get_errno(), 'syncfs ' + path)
    finally:
        os.close(handle)


def words_of(path):
    with open(path) as text:
        return text.read().split()


# ------------------------------------------------------------------ counters

def cpu_of_group(folder):
    """Microseconds of user and system time. The kernel counts them in every
    cgroup, also where the controller `cpu' is not there."""
    words = words_of(os.path.join(folder, 'cpu.stat'))
    return int(words[words.index('usage_usec') + 1])


def cpu_of_machine():
    """Microseconds that the machine was not idle, and stolen ones."""
    user, nice, system, _idle, _wait, irq, soft, steal = map(
        int, words_of('/proc/stat')[1:9])
    return ((user + nice + system + irq + soft) * TICK_US, steal * TICK_US)


def bytes_of_link(pid, name):
    """Bytes in and out of an interface in the network namespace of pid."""
    with open('/proc/%d/net/dev' % pid) as table:
        for line in table:
            device, _, counts = line.partition(':')
            if device.strip() == name:
                counts = counts.split()
                return int(counts[0]) + int(counts[8])
    raise LabError('no interface %s' % name)


def disk(loop):
    """(bytes written, flushes) of a loop device."""
    words = words_of('/sys/block/%s/stat' % os.path.basename(loop))
    return int(words[6]) * SECTOR, int(words[15])


class Counters:
    """What is counted of a server, read from outside of it."""

    def __init__(self, server):
        self.server = server

    def read(self):
        groups = {name: cpu_of_group(path)
                  for name, path in self.server.groups().items()}
        busy, steal = cpu_of_machine()
        now = {'owner': groups.get('n0', 0), 'partner': groups.get('n1', 0),
               'client': groups.get('client', 0), 'busy': busy,
               'steal': steal,
               'link': bytes_of_link(self.server.pid('n0'), 'ic')}
        now['labs'] = sum(groups.values())
        now['disk'] = now['flushes'] = 0
        for loop in self.server.loops():
            written, flushes = disk(loop)
            now['disk'] += written
            now['flushes'] += flushes
        return now


class Probe:
    """Sums of counters around the measured parts of a workload. Each begins
    with nothing waiting to be written; what the disk gets includes what it
    left to be written later."""

    def __init__(self, server):
        self.server = server
        self.counters = Counters(server)
        self.before = None
        self.spent = collections.Counter()
        self.debt = 0

    def begin(self, clean=True):
        if clean:
            self.server.sync()
        self.before = self.counters.read()

    def end(self):
        after = self.counters.read()
        begin = time.monotonic()
        self.server.sync()
        self.debt += time.monotonic() - begin
        last = self.counters.read()
        for key, before in self.before.items():
            late = key in ('disk', 'flushes')
            self.spent[key] += (last if late else after)[key] - before
        self.before = None

    def found(self):
        if not self.spent or self.before is not None:
            raise LabError('nothing was measured to its end')
        spent = self.spent
        return {'cpu_us': {
                    'owner': spent['owner'], 'partner': spent['partner'],
                    'client': spent['client'],
                    # Kernel threads, and whatever else is on the machine.
                    'elsewhere': max(0, spent['busy'] - spent['labs'])},
                'stolen_us': spent['steal'], 'link_bytes': spent['link'],
                'disk_bytes': spent['disk'], 'disk_flushes': spent['flushes'],
                'debt_seconds': self.debt}


# --------------------------------------------------------- the machine itself

def flush_cost(folder, seconds):
    """Milliseconds (p50, p99) of fdatasync() of 4 KiB in blocks that exist."""
    path = os.path.join(folder, '.flush')
    block, count, took = os.urandom(4096), 256, []
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.write(handle, block * count)
        os.fsync(handle)
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(took) < 10:
            os.pwrite(handle, block, len(took) % count * 4096)
            begin = time.monotonic()
            os.fdatasync(handle)
            took.append((time.monotonic() - begin) * 1000)
    finally:
        os.close(handle)
        os.unlink(path)
    return percentile(took, 50), percentile(took, 99)


def idle_cost(servers, seconds):
    """{variant: {node: share of a core}} while nothing is asked of them."""
    before = {s.name: {n: cpu_of_group(p) for n, p in s.groups().items()}
              for s in servers}
    begin = time.monotonic()
    time.sleep(seconds)
    took = (time.monotonic() - begin) * 1e6
    return {s.name: {n: (cpu_of_group(p) - before[s.name][n]) / took
                     for n, p in s.groups().items()} for s in servers}


# -------------------------------------------------------------------- rounds

def one(server, workload, seconds):
    probe = Probe(server)
    result = workload.run(server, seconds, probe)
    server.check()
    return dict(result, **probe.found())


def rounds(servers, workloads, count, seconds, rng):
    """Yields samples. All servers do a workload one directly after the other,
    in an order of its own each time: what drifts for longer than that is the
    same for all."""
    for number in range(count):
        for name, workload in workloads.items():
            for server in rng.sample(servers, len(servers)):
                sample = {'round': number, 'workload': name,
                          'variant': server.name}
                try:
                    sample.update(one(server, workload, seconds))
                except (LabError, OSError, ValueError,
                        subprocess.TimeoutExpired) as error:
                    say('%s on %s: %s' % (name, server.name, error))
                    sample['error'] = str(error)
                yield sample
