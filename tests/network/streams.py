# SPDX-License-Identifier: GPL-3.0-or-later
"""Streaming clients, and the ear on the switch, for the tests of the network.

A Stream runs build/tests/mirror-stream in a client of the testbed; its lines
are explained there. Times are CLOCK_MONOTONIC, which all namespaces share.
"""

import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, '../integration'))
sys.path.insert(0, HERE)
from lab import TOP, LabError  # noqa: E402
import sniffer  # noqa: E402

PROGRAM = os.path.join(TOP, 'build/tests/mirror-stream')
BRIDGES = ('lan0a', 'lan0b', 'lan1a', 'lan1b')


def spawn(lab, where, name, *command):
    """Start a command in a namespace: (process, path of what it prints).

    It ends when its standard input does.
    """
    path = os.path.join(lab.folder, 'shared', name)
    with open(path, 'w') as output:
        process = subprocess.Popen(
            (lab.testbed, 'exec', where) + command, env=lab.env,
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True)
    return process, path


class Stream:
    """A client that writes and reads without a pause of its own."""

    def __init__(self, lab, address, share, client='client', name=None,
                 block=64, interval=0, reopen=0,
                 keepalive=0, seed=0):
        self.lab = lab
        self.address = address
        self.name = name or '%s-%s' % (client, address.replace(':', '-'))
        self.process, self.path = spawn(
            lab, client, 'stream-' + self.name, PROGRAM,
            '-f', 'stream-' + self.name, '-b', str(block),
            '-i', str(interval), '-r', str(reopen),
            '-k', str(keepalive), '-s', str(seed),
            '//%s/%s' % (address, share))

    def lines(self, kind):
        """The numbers of all lines of a kind."""
        with open(self.path) as lines:
            words = [line.split() for line in lines if line.endswith('\n')]
        return [[float(x) for x in line[1:3]] for line in words
                if line and line[0] == kind]

    def text(self):
        """Its lines, but for what is of no interest."""
        def matters(words):
            return words and words[0] != 'O' and not (
                words[0] == 'P' and float(words[2]) - float(words[1]) < 0.2)
        with open(self.path) as lines:
            return ''.join(line for line in lines if matters(line.split()))

    def operations(self):
        return max([0] + [int(line[1]) for line in self.lines('O')])

    def last(self):
        """When something was done last (it tells ten times a second)."""
        return max([0.0] + [line[0] for line in self.lines('O')] +
                   [line[1] for line in self.lines('P')])

    def connections(self):
        return len(self.lines('C'))

    def failures(self, begin=0.0, end=float('inf')):
        return [line for line in self.lines('B') if begin <= line[0] < end]

    def pauses(self, begin, end=None):
        """(from, to) of the pauses that end after begin; one may last yet."""
        found = [(p[0], p[1]) for p in self.lines('P') if p[1] > begin and
                 (end is None or p[0] < end)]
        now, last = time.monotonic(), self.last()
        if last and now - last > 0.15 and (end is None or last < end):
            found.append((last, now))
        return found

    def longest(self, begin, end=None):
        return max([0.0] + [b - a for a, b in self.pauses(begin, end)])

    def stop(self):
        """End it; its summary as a dictionary."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(timeout=10)
        with open(self.path) as lines:
            for line in lines:
                words = line.split()
                if words and words[0] == 'summary':
                    return dict(zip(words[2::2], words[3::2]))
        raise LabError('%s: no summary\n%s' % (self.name, self.text()))


class Ear:
    """A sniffer of claims of addresses on both halves of both networks."""

    def __init__(self, lab):
        self.process, self.path = spawn(
            lab, 'switch', 'ear', '/usr/bin/python3',
            os.path.join(HERE, 'sniffer.py'), *BRIDGES)
        lab.wait('the sniffer', lambda: open(self.path).read(), 10)

    def claims(self):
        with open(self.path) as lines:
            return list(sniffer.claims(lines))

    def stop(self):
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(timeout=10)


# What goes down sooner after it came up is a flapping path to arpd, which then
# waits longer and longer before it uses it again.
UP_FOR = 10.5


def arpd_status(lab, node):
    return json.loads(lab.on(node, 'mirror-arpd', 'status', '--json'))


def calm(lab, nodes=('n0', 'n1'), up_for=UP_FOR):
    """All paths are up, for some time, and no address is passed through."""
    for node in nodes:
        status = arpd_status(lab, node)
        for peer in status['peers']:
            if len(peer['paths']) != len(status['interfaces']):
                return False
            for path in peer['paths']:
                if path['state'] != 'up' or path['since'] < up_for:
                    return False
        for row in status['addresses']:
            if (row['where'] not in ('here', 'elsewhere') or
                    row.get('silent') or 'helper' in row):
                return False
    return True


def going_on(streams, since):
    """Have all done something after that moment?"""
    return all(stream.last() > since for stream in streams)


def percentile(values, percent):
    """Nearest rank: of 20 values the 99th percentile is the greatest."""
    values = sorted(values)
    return values[max(0, -(-len(values) * percent // 100) - 1)]


def figures(values):
    return 'p50 %.3f  p99 %.3f  min %.3f  max %.3f  (%d)' % (
        percentile(values, 50), percentile(values, 99), min(values),
        max(values), len(values))
