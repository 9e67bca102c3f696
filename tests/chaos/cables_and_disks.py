# SPDX-License-Identifier: GPL-3.0-or-later
"""Cables that are cut or slow, and disks that are full or fail."""

import os
import subprocess
import time

from scene import NODES, SERVICES, fault, other

DISKS_SIZE = '3g'       # of the file system that the disks live on


# ------------------------------------------------------------------ the network
@fault(2)
def interconnect_cut(scene):
    """ctdb and records go over the client network, if it lasts."""
    seconds = scene.rng.uniform(0.5, 6)
    scene.lab.tb('unplug', 'n0', 'ic')
    time.sleep(seconds)
    scene.lab.tb('plug', 'n0', 'ic')
    scene.note('interconnect cut for %.1f s' % seconds)


@fault(2)
def interconnect_flaps(scene):
    """Again and again, faster than anybody decides anything."""
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
    """A node is heard by nobody, and hears everybody."""
    node = scene.rng.choice(NODES)
    shaped(scene, node, '1kbit', '40', scene.rng.uniform(0.5, 6),
           '%s is heard by nobody on the interconnect')


@fault(2)
def interconnect_slow(scene):
    """Records queue; answers take longer."""
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
    """All cables of a node are out: the side that has the cluster lock goes
    on (R13). Here that lock needs no network: with the isolated node it is
    nobody that clients can reach."""
    node = scene.rng.choice(NODES)
    leads = scene.leader(node) == node
    for cable in ('lan', 'ic'):
        scene.lab.tb('unplug', node, cable)
    scene.note('%s, %sthe leader, is isolated' % (node, '' if leads else
                                                  'not '))
    try:
        if not leads:
            scene.wait_served_by(other(node))
        scene.pause(0, 4)
    finally:
        for cable in ('lan', 'ic'):
            scene.lab.tb('plug', node, cable)


# -------------------------------------------------------------------- the disk
def volume_of(scene):
    """(volume, its owner) of either service."""
    service = scene.rng.choice(sorted(SERVICES))
    return service.lower(), 'n0' if scene.has('n0', service) else 'n1'


def fill(scene, volume, node, shortest, longest):
    filler = '/srv/%s/filler' % volume
    scene.lab.on(node, 'dd', 'if=/dev/zero', 'of=' + filler, 'bs=1M',
                 check=False)
    seconds = scene.pause(shortest, longest)
    scene.lab.on(node, 'rm', filler)
    # No record tells a replay that there is room again: the disk has to know.
    scene.lab.on(node, 'sync', '-f', '/srv/' + volume)
    scene.note('disk of %s full for %.1f s' % (volume, seconds))


@fault(2)
def disk_full(scene):
    """Clients are told so, and go on when there is room."""
    volume, node = volume_of(scene)
    fill(scene, volume, node, 0.5, 3)


@fault(2)
def cut_after_full(scene):
    """R2: what failed must not be done by a replay."""
    volume, node = volume_of(scene)
    fill(scene, volume, node, 0.3, 0.8)
    scene.crash(node)
    scene.wait_served_by(other(node))


@fault(2)
def read_only(scene):
    """A volume refuses everything for moments."""
    volume, node = volume_of(scene)
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
