# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to the pair while clients work.

A fault is a function of a Scene: it breaks something, waits as long as its
dice say or until something is to be seen, and puts right what would stay
broken. A node that lost its power may be left off: Scene.heal() switches it
on. What a fault did it says with scene.note().

Not here: a step of the clock, since nodes that are namespaces share it; disk
quotas, since the volumes have none.
"""

import os
import subprocess
import threading
import time

from lab import LabError

NODES = ('n0', 'n1')
SERVICES = {'ALPHA': '10.77.0.200', 'BETA': '10.77.0.201'}
FAULTS = {}         # name -> (weight, function)


def fault(weight, name=None):
    def register(function):
        FAULTS[name or function.__name__.replace('_', '-')] = (
            weight, function)
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


# --------------------------------------------------------- killed and stopped
def stop_for(scene, node, name, shortest, longest, pattern):
    scene.signal(node, 'STOP', *pattern)
    try:
        seconds = scene.pause(shortest, longest)
    finally:
        scene.signal(node, 'CONT', *pattern)
    scene.note('%s on %s stopped for %.1f s' % (name, node, seconds))


@fault(3)
def kill_smbd(scene):
    """Single smbds, some of them in the middle of an operation."""
    for _ in range(scene.rng.randint(1, 4)):
        node = scene.rng.choice(NODES)
        smbds = scene.lab.on(node, 'pgrep', '-x', 'smbd',
                             check=False).split()[1:]
        if smbds:
            scene.lab.on(node, 'kill', '-KILL', scene.rng.choice(smbds),
                         check=False)
            scene.note('a smbd of %s killed' % node)
        scene.pause(0.1, 0.8)


@fault(3)
def stop_smbd(scene):
    node = scene.rng.choice(NODES)
    stop_for(scene, node, 'smbd', 0.5, 4, ('-x', 'smbd'))


@fault(3)
def kill_mirrord(scene):
    for _ in range(scene.rng.randint(1, 3)):
        node = scene.rng.choice(NODES)
        scene.signal(node, 'KILL', '-x', 'mirrord')
        scene.note('mirrord of %s killed' % node)
        scene.pause(0.2, 3)


@fault(3)
def stop_mirrord(scene):
    """Epochs stand still, and the store may fill (R9)."""
    stop_for(scene, scene.rng.choice(NODES), 'mirrord', 0.5, 5,
             ('-x', 'mirrord'))


@fault(1)
def stop_mirrord_long(scene):
    """Longer than the partner timeout: served without it."""
    stop_for(scene, scene.rng.choice(NODES), 'mirrord', 16, 18,
             ('-x', 'mirrord'))


@fault(2)
def stop_ctdbd(scene):
    stop_for(scene, scene.rng.choice(NODES), 'ctdbd', 0.5, 6,
             ('-x', 'ctdbd'))


@fault(2)
def kill_ctdbd(scene):
    """Its node is dead for the other one, and cut off by it."""
    node = scene.rng.choice(NODES)
    scene.signal(node, 'KILL', '-x', 'ctdbd')
    scene.note('ctdbd of %s killed' % node)
    scene.wait_served_by(other(node))


# ------------------------------------------------------------------ power cuts
@fault(4)
def cut_owner(scene):
    node = scene.rng.choice(NODES)
    scene.crash(node)
    scene.wait_served_by(other(node))


@fault(3)
def cut_and_return(scene):
    """It comes back under load; then the other one is cut."""
    node = scene.rng.choice(NODES)
    scene.crash(node)
    scene.wait_served_by(other(node))
    scene.pause(0, 2)
    scene.boot(node)
    scene.lab.pair('wait')
    scene.lab.wait_mirrored()
    scene.pause(0, 2)
    scene.crash(other(node))
    scene.wait_served_by(node)


@fault(3)
def cut_without_owning(scene):
    """A partner that owns nothing dies: the owner goes on degraded."""
    lab = scene.lab
    lab.on('n0', 'ctdb', '-t', '1', 'moveip', SERVICES['BETA'], '0',
           check=False)
    scene.wait_served_by('n0')
    lab.wait_mirrored()
    scene.crash('n1')
    lab.wait('degraded', lambda: lab.mode('n0', 'alpha') == 'degraded')
    scene.go_on()
    scene.pause(0, 2)
    scene.boot('n1')
    lab.wait_mirrored()


@fault(2)
def cut_during_giveback(scene):
    """A service is on its way when its source or its target dies."""
    service = scene.rng.choice(sorted(SERVICES))
    source = 'n0' if scene.has('n0', service) else 'n1'
    moving = threading.Thread(target=lambda: scene.lab.on(
        other(source), 'ctdb', '-t', '1', 'moveip', SERVICES[service],
        other(source)[1:], check=False))
    moving.start()
    scene.pause(0, 1.5)
    victim = scene.rng.choice(NODES)
    scene.note('%s moves from %s' % (service, source))
    scene.crash(victim)
    scene.wait_served_by(other(victim), seconds=90)
    moving.join(60)


@fault(2)
def crash_of_replay(scene):
    """mirrord dies while it replays, more than once."""
    node = scene.rng.choice(NODES)
    volume = {'n0': '/srv/alpha', 'n1': '/srv/beta'}[node]
    survivor = other(node)
    scene.crash(node)
    try:
        scene.lab.wait('mounted', lambda: scene.lab.ok(
            survivor, 'mountpoint', '-q', volume), 40, 0.001)
    except LabError:
        pass                # had it already: services were not at home
    for _ in range(scene.rng.randint(1, 3)):
        scene.pause(0, 0.05)
        scene.signal(survivor, 'KILL', '-x', 'mirrord')
        scene.note('mirrord of %s killed in its takeover' % survivor)
        scene.pause(0.5, 1.5)
    scene.wait_served_by(survivor, seconds=90)


@fault(2)
def old_store(scene):
    """R11: the partner is away, the owner goes on alone and dies, and the
    partner comes back with a store that is older than the volume."""
    lab = scene.lab
    node = scene.leader('n0')       # it needs the lock to go on
    partner = other(node)
    for address in SERVICES.values():
        lab.on(node, 'ctdb', '-t', '1', 'moveip', address, node[1:],
               check=False)
    scene.wait_served_by(node)
    lab.wait_mirrored()
    scene.go_on(30)
    lab.tb('hang', partner)
    try:
        for volume in ('alpha', 'beta'):
            lab.wait('degraded', lambda v=volume: lab.mode(node, v) ==
                     'degraded')
        scene.go_on(30)
        scene.pause(0, 1)
        scene.crash(node)
    finally:
        lab.tb('thaw', partner)
    scene.note('%s is back with the store of before' % partner)
    scene.wait_served_by(partner, seconds=90)


# ------------------------------------------------------------------ the network
@fault(2)
def interconnect_cut(scene):
    seconds = scene.rng.uniform(0.5, 6)
    scene.lab.tb('unplug', 'n0', 'ic')
    time.sleep(seconds)
    scene.lab.tb('plug', 'n0', 'ic')
    scene.note('interconnect cut for %.1f s' % seconds)


@fault(2)
def interconnect_flaps(scene):
    for _ in range(scene.rng.randint(3, 8)):
        scene.lab.tb('unplug', 'n0', 'ic')
        scene.pause(0.05, 0.7)
        scene.lab.tb('plug', 'n0', 'ic')
        scene.pause(0.05, 0.7)
    scene.note('interconnect flapped')


def shaped(scene, node, rate, burst, seconds, what):
    """A token bucket lets nothing pass that is larger than its burst."""
    scene.lab.on(node, 'tc', 'qdisc', 'replace', 'dev', 'ic', 'root', 'tbf',
                 'rate', rate, 'burst', burst, 'latency', '300ms')
    time.sleep(seconds)
    # Whoever was cut off for it has no such device any more.
    scene.lab.on(node, 'tc', 'qdisc', 'del', 'dev', 'ic', 'root',
                 check=False)
    scene.note('%s for %.1f s' % (what % node, seconds))


@fault(2)
def interconnect_one_way(scene):
    node = scene.rng.choice(NODES)
    shaped(scene, node, '1kbit', '40', scene.rng.uniform(0.5, 6),
           '%s is heard by nobody on the interconnect')


@fault(2)
def interconnect_slow(scene):
    node = scene.rng.choice(NODES)
    shaped(scene, node, '1mbit', '4kb', scene.rng.uniform(2, 6),
           '%s sends 1 Mbit/s')


@fault(3)
def cut_while_slow(scene):
    """R2: a node dies while its records queue before a slow interconnect."""
    node = scene.rng.choice(NODES)
    scene.lab.on(node, 'tc', 'qdisc', 'replace', 'dev', 'ic', 'root', 'tbf',
                 'rate', '500kbit', 'burst', '2kb', 'latency', '2s')
    scene.note('%s sends 0.5 Mbit/s' % node)
    scene.pause(0.3, 2)
    scene.crash(node)
    scene.wait_served_by(other(node))


@fault(3)
def interconnect_then_node(scene):
    """First the cable, then the power of a node."""
    scene.lab.tb('unplug', 'n0', 'ic')
    scene.note('interconnect cut')
    try:
        scene.pause(0.5, 5)
        node = scene.rng.choice(NODES)
        scene.crash(node)
        scene.wait_served_by(other(node))
    finally:
        scene.lab.tb('plug', 'n0', 'ic')


@fault(2)
def isolated(scene):
    """All cables of a node are out: the other one goes on, alone (R13)."""
    node = scene.rng.choice(NODES)
    for cable in ('lan', 'ic'):
        scene.lab.tb('unplug', node, cable)
    scene.note('%s is isolated' % node)
    try:
        scene.wait_served_by(other(node))
        scene.pause(0, 2)
    finally:
        for cable in ('lan', 'ic'):
            scene.lab.tb('plug', node, cable)


# -------------------------------------------------------------------- the disk
@fault(2)
def disk_full(scene):
    service, volume = scene.rng.choice((('ALPHA', 'alpha'), ('BETA', 'beta')))
    node = 'n0' if scene.has('n0', service) else 'n1'
    filler = '/srv/%s/filler' % volume
    scene.lab.on(node, 'dd', 'if=/dev/zero', 'of=' + filler, 'bs=1M',
                 check=False)
    seconds = scene.pause(0.5, 3)
    scene.lab.on(node, 'rm', filler)
    scene.note('disk of %s full for %.1f s' % (volume, seconds))


@fault(2)
def read_only(scene):
    service, volume = scene.rng.choice((('ALPHA', 'alpha'), ('BETA', 'beta')))
    node = 'n0' if scene.has('n0', service) else 'n1'
    for _ in range(scene.rng.randint(1, 4)):
        scene.lab.on(node, 'mount', '-o', 'remount,ro', '/srv/' + volume,
                     check=False)
        scene.pause(0.1, 0.6)
        scene.lab.on(node, 'mount', '-o', 'remount,rw', '/srv/' + volume,
                     check=False)
        scene.pause(0.1, 0.6)
    scene.note('%s read-only for moments' % volume)


@fault(1)
def disk_error(scene):
    """Writes of both disks fail; syncfs says so, once (R9). What was not
    written is with the partners, and no node may die now."""
    disks = scene.lab.env['DISKDIR']
    free = os.statvfs(disks)
    used = (free.f_blocks - free.f_bfree) * free.f_frsize
    subprocess.run(['mount', '-o', 'remount,size=%d' % used, disks],
                   check=True)
    seconds = scene.pause(1, 4)
    subprocess.run(['mount', '-o', 'remount,size=' + DISKS_SIZE, disks],
                   check=True)
    scene.note('writes of the disks failed for %.1f s' % seconds)


DISKS_SIZE = '3g'


# ------------------------------------------------------------------ a hung node
@fault(2)
def hang(scene):
    """Everything on a node stands still; too short, or long enough for it to
    be cut off."""
    node = scene.rng.choice(NODES)
    scene.lab.tb('hang', node)
    seconds = scene.pause(0.5, 7)
    thawed = scene.lab.run(scene.lab.testbed, 'thaw', node, check=False)
    scene.note('%s hung for %.1f s%s' % (
        node, seconds, '' if 'is off' not in thawed else
        ' and was cut off'))
