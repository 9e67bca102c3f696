# SPDX-License-Identifier: GPL-3.0-or-later
"""A hung owner that wakes up after its takeover (R12).

The testbed's fence cuts the power, and nobody wakes up from that. Many real
ones cut a node off its disks only (SCSI reservations, a switch of the storage
network): its memory, its page cache and its clients' connections stay. So for
this fault the survivor's fence does no more than that, and clients that read
are connected to the node's own address, which no takeover takes away.

What they were reading while it hung may be answered with what was there then.
What they ask after it woke up must not be answered with what the new owner has
changed since; in fact not at all.

Seen to fail ("two owners", and reads that go back in time) before there were
leases, and (files of the survivor's clients that are busy or going for handles
that nobody has) while ctdb merged the databases that the node had slept with.
"""

import contextlib

from scene import fault, other

FENCE = '/usr/local/sbin/testbed-fence'


@contextlib.contextmanager
def fence_of_disks(lab, node):
    """The fence of this node cuts the other one off its disks only."""
    lab.on(node, 'mv', FENCE, FENCE + '.power')
    lab.on(node, 'bash', '-c', 'printf \'#!/bin/sh\\nexec %s.power "$1" disks'
           '\\n\' >%s; chmod 755 %s' % (FENCE, FENCE, FENCE))
    try:
        yield
    finally:
        lab.on(node, 'mv', FENCE + '.power', FENCE, check=False)


@fault(2)
def woken(scene):
    """A hung owner, fenced off its disks, wakes up and has clients."""
    lab = scene.lab
    survivor = scene.leader('n0')       # it needs the cluster lock
    node = other(survivor)
    service = {'n0': 'ALPHA', 'n1': 'BETA'}[node]
    first = 50 + 2 * len(scene.clients.processes)   # a journal for each
    scene.clients.start(service, '-n', str(first), '-c', '2', '-r', '-g', '-t',
                        '600', '-p', '3000', '-o', '30000',
                        address='10.77.0.1' + node[1:])
    scene.pause(1, 2)
    with fence_of_disks(lab, survivor):
        lab.tb('hang', node)
        try:
            scene.wait_served_by(survivor)
            scene.go_on(40, shares=(service.lower(),))
        finally:
            lab.run(lab.testbed, 'thaw', node, check=False)
        scene.note('%s hung, was cut off its disks and woke up' % node)
        scene.pause(2, 4)
        lab.tb('crash', node)
