# SPDX-License-Identifier: GPL-3.0-or-later
"""The workloads of the benchmark: which client program runs, and what it says.

A workload's run(server, seconds, probe) runs it once on a server, calls
probe.begin() and probe.end() directly around what is measured, perhaps several
times, and returns rate, operations, bytes, seconds and
latency_us (see report.py).
"""

import fnmatch
import json
import os
import re
import subprocess
import time

from lab import ADDRESS, TOP, CREDENTIALS, LabError

SHARE = '//%s/alpha' % ADDRESS['ALPHA']
MIB = 1 << 20
PUT_MIB = 128
# Seconds after which a client program does not come to its end any more.
PATIENCE = 300
LOADFILE = '/usr/share/dbench/client.txt'


class Client:
    """tests/clients/mirror-bench."""

    def __init__(self, workload, size=None, depth=1, clients=1,
                 batch=None):
        self.words = [workload, SHARE]
        self.options = ['-q', str(depth), '-c', str(clients)]
        if size:
            self.options += ['-s', size]
        if batch:
            self.options += ['-b', str(batch)]

    def run(self, server, seconds, probe):
        # -w: it says when what it measures begins and ends, perhaps several
        # times (between, it makes or removes files), and waits for a line.
        with subprocess.Popen(
                [server.lab.testbed, 'exec', 'client', 'timeout', '-k5',
                 str(PATIENCE),
                 os.path.join(TOP, 'build/tests/mirror-bench'), '-w',
                 '-t', '%g' % seconds] + self.options + self.words,
                env=server.lab.env, text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            stages = {'ready\n': probe.begin, 'measured\n': probe.end}
            said = process.stdout.readline()
            while said in stages:
                stages[said]()
                process.stdin.write('\n')
                process.stdin.flush()
                said = process.stdout.readline()
            process.stdin.close()
            why = process.stderr.read()
        if process.returncode != 0:
            raise LabError('mirror-bench: exit %d: %s' % (
                process.returncode, why.strip()))
        result = json.loads(said)
        return {'rate': result['operations'] / result['seconds'],
                'operations': result['operations'],
                'bytes': result['bytes'], 'seconds': result['seconds'],
                'latency_us': result['latency_us']}


class Put:
    """smbclient writes a large file, again and again. An operation is a MiB."""

    def run(self, server, seconds, probe):
        source = os.path.join(server.scratch, 'put')
        if not os.path.exists(source):
            with open(source, 'wb') as out:
                for _ in range(PUT_MIB):
                    out.write(os.urandom(MIB))
        times = max(1, round(seconds))
        probe.begin()
        said = server.lab.on(
            'client', 'timeout', '-k5', str(PATIENCE), 'smbclient',
            CREDENTIALS, SHARE, '-c',
            '; '.join(['put %s put' % source] * times), timeout=2 * PATIENCE)
        probe.end()
        server.lab.on('client', 'smbclient', CREDENTIALS, SHARE, '-c',
                      'del put')
        averages = re.findall(r'\(average ([0-9.]+) kb/s\)', said)
        if len(averages) != times or float(averages[-1]) <= 0:
            raise LabError('smbclient put: ' + said)
        rate = float(averages[-1]) / 1024
        return {'rate': rate, 'operations': times * PUT_MIB,
                'bytes': times * PUT_MIB * MIB,
                'seconds': times * PUT_MIB / rate, 'latency_us': None}


class Netbench:
    """dbench's load as smbtorture plays it, over SMB1. An operation is a line
    of the load file.

    The file makes folders and large files, and then does the same round of
    work, office programs at work, again and again. smbtorture prints what went
    through in a time, which is more of the first, with its large writes, the
    slower a server is. So rounds are timed here, by marks in the file: a line
    that smbtorture does not know it prints, and goes on.
    """
    SETUP, ROUND = 711, 3550        # lines; the rounds differ by ten or so
    MARK = 'Mark here NT_STATUS_OK\n'

    def __init__(self, clients):
        self.clients = clients

    def load(self, folder, count):
        """Make the load file; (its name, bytes between the marks)."""
        with open(LOADFILE) as text:
            lines = text.readlines()
        end = self.SETUP + count * self.ROUND
        path = os.path.join(folder, 'netbench')
        with open(path, 'w') as out:
            out.writelines(lines[:self.SETUP] + [self.MARK] +
                           lines[self.SETUP:end] + [self.MARK] + lines[end:])
        words = [line.split() for line in lines[self.SETUP:end]]
        return path, sum(int(w[3]) for w in words
                         if w[0] in ('ReadX', 'WriteX'))

    def run(self, server, seconds, probe):
        count = max(1, round(seconds / 1.5))
        path, size = self.load(server.scratch, count)
        marks = ('[%d] Unknown operation Mark\n' % (self.SETUP + 1),
                 '[%d] Unknown operation Mark\n' % (
                     self.SETUP + count * self.ROUND + 2))
        times, said = ([], []), []
        server.sync()
        process = server.lab.start(
            'timeout', '-k5', str(PATIENCE), 'stdbuf', '-oL', 'smbtorture',
            SHARE, CREDENTIALS, '--option=client min protocol=NT1',
            '--option=client max protocol=NT1',
            '--target=samba3', '--basedir=' + server.scratch,
            '--loadfile=' + path, '--num-progs=%d' % self.clients,
            '--timelimit=%d' % PATIENCE, 'bench.nbench',
            output=subprocess.PIPE)
        with process:
            for line in process.stdout:
                now = time.monotonic()
                said.append(line)
                if line in marks:
                    which = marks.index(line)
                    times[which].append(now)
                    if which == 0 and len(times[0]) == 1:
                        probe.begin(clean=False)
                    if len(times[1]) == self.clients:
                        probe.end()
                        break
            # In the client's own process namespace.
            server.lab.on('client', 'pkill', '-KILL', '-x', 'smbtorture',
                          check=False)
            process.stdout.read()
        if len(times[1]) != self.clients:
            raise LabError('smbtorture: ' + ''.join(said[-20:]))
        server.lab.on('client', 'smbclient', CREDENTIALS, SHARE, '-c',
                      'deltree clients')
        # Of the mean client; they all have the same to do.
        took = (sum(times[1]) - sum(times[0])) / self.clients
        return {'rate': self.clients * size / took / 1e6,
                'operations': self.clients * count * self.ROUND,
                'bytes': self.clients * size, 'seconds': took,
                'latency_us': None}


# name: (the workload, unit of its rate)
WORKLOADS = {
    'write-sequential-64k': (Client('write-sequential', '64k', 8), '/s'),
    'write-sequential-1m': (Client('write-sequential', '1M', 8), '/s'),
    'put': (Put(), 'MiB/s'),
    'write-random-4k-q1': (Client('write-random', '4k', 1), '/s'),
    'write-random-4k-q16': (Client('write-random', '4k', 16), '/s'),
    'create': (Client('create'), '/s'),
    'rename': (Client('rename'), '/s'),
    # What is removed has to be made first, which takes GlusterFS long.
    'unlink': (Client('unlink', batch=500), '/s'),
    'mkdir': (Client('mkdir'), '/s'),
    'set-attributes': (Client('set-attributes'), '/s'),
    'set-acl': (Client('set-acl'), '/s'),
    'open-close': (Client('open-close'), '/s'),
    'read-sequential-64k': (Client('read-sequential', '64k', 8), '/s'),
    'read-sequential-1m': (Client('read-sequential', '1M', 8), '/s'),
    'tree': (Client('tree'), '/s'),
    'nbench-1': (Netbench(1), 'MB/s'),
    'nbench-4': (Netbench(4), 'MB/s'),
    'nbench-8': (Netbench(8), 'MB/s'),
}


def choose(text):
    """Names of workloads, from patterns with commas between."""
    chosen = []
    for word in text.split(','):
        found = fnmatch.filter(WORKLOADS, word)
        if not found:
            raise LabError('no workload is called %s; there are %s' % (
                word, ' '.join(WORKLOADS)))
        chosen += [name for name in found if name not in chosen]
    return chosen
