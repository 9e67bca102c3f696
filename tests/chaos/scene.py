# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the pair while clients work: what all faults share.

A fault is a function of a Scene: it breaks something, waits as long as its
dice say or until something is to be seen, and puts right what would stay
broken. A node that lost its power may be left off: Scene.heal() switches it
on. What a fault did it says with scene.note(). They are in faults.py (nodes
and processes), cables_and_disks.py, quotas.py, clocks.py and woken.py.
"""

import os
import time

NODES = ('n0', 'n1')
SERVICES = {'ALPHA': '10.77.0.200', 'BETA': '10.77.0.201'}
FAULTS = {}         # name -> (weight, function)
NEEDS = {}          # name -> what the pair must be configured with


def fault(weight, name=None, needs=None):
    def register(function):
        title = name or function.__name__.replace('_', '-')
        FAULTS[title] = (weight, function)
        NEEDS[title] = needs or {}
        return function
    return register


def other(node):
    return 'n1' if node == 'n0' else 'n0'


class Scene:
    """The pair, and what a fault may know of it."""

    def __init__(self, lab, rng, journals, note):
        self.lab = lab
        self.rng = rng
        self.journals = journals    # () -> paths
        self.note = note
        self.readers = []           # (command line) -> started, see woken

    def has(self, node, service):
        """Does this node hold the service's address? Safe beside a hung one."""
        return SERVICES[service] + '/' in self.lab.on(
            node, 'ip', '-br', 'addr', timeout=10)

    def wait_served_by(self, node, services=('ALPHA', 'BETA'), seconds=60):
        for service in services:
            self.lab.wait('%s on %s' % (service, node),
                          lambda s=service: self.has(node, s), seconds)

    def answered(self):
        """Answers so far, per share."""
        counts = {}
        for path in self.journals():
            share = os.path.basename(path).partition('-')[0]
            with open(path, 'rb') as journal:
                counts[share] = counts.get(share, 0) + journal.read().count(
                    b'\nA ')
        return counts

    def go_on(self, count=10, seconds=90, shares=('alpha', 'beta')):
        there = self.answered()
        self.lab.wait('clients go on', lambda: all(
            self.answered().get(share, 0) > there.get(share, 0) + count
            for share in shares), seconds)

    def pause(self, shortest, longest):
        seconds = self.rng.uniform(shortest, longest)
        time.sleep(seconds)
        return seconds

    def signal(self, node, signal, *pattern):
        self.lab.on(node, 'pkill', '-' + signal, *pattern, check=False,
                    timeout=10)

    def leader(self, node):
        """pnn of ctdb's leader, who holds the cluster lock."""
        return 'n' + self.lab.on(node, 'ctdb', 'leader').strip()

    def crash(self, node):
        self.note('%s loses power' % node)
        self.lab.tb('crash', node)

    def boot(self, node):
        self.lab.tb('boot', node)
        self.lab.pair('start', node)

    def heal(self):
        self.lab.heal()

    def make_redundant(self):
        """A fault meets a whole pair: two at once may well stop it."""
        if not all(self.lab.ok(node, 'ctdb', 'pnn')
                   for node in self.lab.nodes_with_power()) or len(
                       self.lab.nodes_with_power()) < len(NODES):
            self.heal()
            self.note('healed')
        self.lab.wait_mirrored()
