# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes that lose power or hang, and processes that die or stop."""

import threading

from lab import LabError
from scene import NODES, SERVICES, fault, other


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
    """All smbds of a node stand still for a while."""
    node = scene.rng.choice(NODES)
    stop_for(scene, node, 'smbd', 0.5, 4, ('-x', 'smbd'))


@fault(3)
def kill_mirrord(scene):
    """Its smbds wait, connect again and send again (R5)."""
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
    """Short enough to go unnoticed, or a node that ctdb excludes."""
    stop_for(scene, scene.rng.choice(NODES), 'ctdbd', 0.5, 6,
             ('-x', 'ctdbd'))


@fault(2)
def kill_ctdbd(scene):
    """Its node gives its volumes up, or is cut off by the other one."""
    node = scene.rng.choice(NODES)
    scene.signal(node, 'KILL', '-x', 'ctdbd')
    scene.note('ctdbd of %s killed' % node)
    scene.wait_served_by(other(node))
    # A new ctdbd aborts while anybody has the old one's databases open.
    scene.crash(node)


# ------------------------------------------------------------------ power cuts
@fault(4)
def cut_owner(scene):
    """The other node takes over, without a partner."""
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
    lab.on('n0', 'ctdb', 'moveip', SERVICES['BETA'], '0',
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
        other(source), 'ctdb', 'moveip', SERVICES[service],
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
        lab.on(node, 'ctdb', 'moveip', address, node[1:],
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
