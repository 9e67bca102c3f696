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
"""

import os
import subprocess
import threading
import time

from scene import NODES, fault, other

# Without leases (R12) it fails: 0 takes it out of the plans, and it is done
# only when it is asked for by name.
WEIGHT = 0

ASK = '''#!/bin/bash
# Asks this machine to cut node $1 off its disks, and waits.
echo "$1" >/shared/storage-fence/request.new
mv /shared/storage-fence/request.new /shared/storage-fence/request
for ((i = 0; i < 1500; i++)); do
	[ ! -e /shared/storage-fence/done ] || exit 0
	sleep 0.01
done
exit 1
'''


class StorageFence:
    """While it exists, the fence of a node cuts the other one off its disks."""

    def __init__(self, lab, node):
        self.lab = lab
        self.node = node
        self.folder = os.path.join(lab.folder, 'shared/storage-fence')
        self.fenced = threading.Event()
        self.over = False

    def __enter__(self):
        self.lab.run('rm', '-rf', self.folder)
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, 'ask'), 'w') as script:
            script.write(ASK)
        # powercut.py shuts file systems down of processes it finds here.
        with open(os.path.join(self.folder, 'cgroup.procs'), 'w'):
            pass
        self.lab.on(self.node, 'install', '-m', '755',
                    '/shared/storage-fence/ask',
                    '/usr/local/sbin/testbed-fence')
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def serve(self):
        request = os.path.join(self.folder, 'request')
        while not self.over:
            if not os.path.exists(request):
                time.sleep(0.01)
                continue
            with open(request) as file:
                victim = 'n' + file.read().strip()
            if victim not in NODES or victim == self.node:
                return
            with open(os.path.join(self.lab.folder, victim, 'loops')) as file:
                devices = file.read().split()
            subprocess.run(
                ['python3', '-SE', os.path.join(os.path.dirname(
                    self.lab.testbed), 'powercut.py'), self.folder] + devices,
                check=True)
            self.fenced.set()
            with open(os.path.join(self.folder, 'done'), 'w'):
                pass
            return

    def __exit__(self, *_):
        self.over = True
        self.thread.join()
        self.lab.run('cp', os.path.join(
            os.path.dirname(self.lab.testbed), 'testbed-fence'), self.folder)
        self.lab.on(self.node, 'install', '-m', '755',
                    '/shared/storage-fence/testbed-fence',
                    '/usr/local/sbin/testbed-fence', check=False)


@fault(WEIGHT)
def woken(scene):
    """A hung owner, fenced off its disks, wakes up and has clients."""
    lab = scene.lab
    survivor = scene.leader('n0')       # it needs the cluster lock
    node = other(survivor)
    service = {'n0': 'ALPHA', 'n1': 'BETA'}[node]
    scene.clients.start(service, '-n', '50', '-c', '2', '-r', '-g', '-t',
                        '600', '-p', '3000', '-o', '30000',
                        address='10.77.0.1' + node[1:])
    scene.pause(1, 2)
    with StorageFence(lab, survivor) as fence:
        lab.tb('hang', node)
        try:
            scene.wait_served_by(survivor)
            scene.go_on(40, shares=(service.lower(),))
        finally:
            lab.run(lab.testbed, 'thaw', node, check=False)
        scene.note('%s hung, was cut off its disks (%s) and woke up' % (
            node, fence.fenced.is_set()))
        scene.pause(2, 4)
        lab.tb('crash', node)
