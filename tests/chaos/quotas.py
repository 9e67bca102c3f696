# SPDX-License-Identifier: GPL-3.0-or-later
"""Users that are at their disk quota.

A quota is exhausted by setting it to what is used already: nothing new is
allocated. It is the users', so it stays when the volume moves, and what a
replay has to allocate again it must get nevertheless: it was within the quota
when it was done. The quota is emulated (tests/testbed/quota.c).

Seen to fail, with a replay that minds quotas: quota-then-cut (the takeover does
not end). With failed operations that are not cancelled: cut-over-quota.
"""

import os

from scene import NODES, SERVICES, fault, other

NEEDS = {'quota': 'yes'}


class Quota:
    """Of the user's on a volume; it is raised again in any case."""

    def __init__(self, scene, volume):
        self.scene = scene
        self.path = os.path.join(scene.lab.folder, 'shared/quota', volume)
        self.volume = volume

    def __enter__(self):
        what = self.scene.rng.choice(('blocks', 'inodes', 'blocks inodes'))
        # At once, as a half of it would be another one.
        with open(self.path + '.new', 'w') as file:
            file.write(what)
        os.rename(self.path + '.new', self.path)
        self.scene.note('no %s left for users of %s' % (
            what.replace(' ', ' and '), self.volume))

    def __exit__(self, *_):
        os.unlink(self.path)


def full(scene, volume):
    """How often clients were told so, until now."""
    count = 0
    for path in scene.journals():
        if os.path.basename(path).startswith(volume + '-'):
            with open(path) as journal:
                count += sum(line.startswith('F ') and line.split()[3] == '28'
                             for line in journal)
    return count


def wait_full(scene, volume):
    before = full(scene, volume)
    scene.lab.wait('clients of %s are told that the disk is full' % volume,
                   lambda: full(scene, volume) > before + 3, 30)


def volume_and_owner(scene):
    service = scene.rng.choice(sorted(SERVICES))
    return service.lower(), NODES[not scene.has('n0', service)]


@fault(2, needs=NEEDS)
def over_quota(scene):
    """A quota is exhausted while clients write, and raised again."""
    volume, _ = volume_and_owner(scene)
    with Quota(scene, volume):
        wait_full(scene, volume)
        scene.pause(0, 3)


@fault(2, needs=NEEDS)
def over_quota_smbd_dies(scene):
    """What a dead smbd had in flight is rolled forward although it failed or
    would fail now."""
    volume, node = volume_and_owner(scene)
    with Quota(scene, volume):
        wait_full(scene, volume)
        for _ in range(scene.rng.randint(1, 4)):
            smbds = scene.lab.on(node, 'pgrep', '-x', 'smbd',
                                 check=False).split()[1:]
            if smbds:
                scene.lab.on(node, 'kill', '-KILL', scene.rng.choice(smbds),
                             check=False)
                scene.note('a smbd of %s killed' % node)
            scene.pause(0.1, 0.8)
        scene.go_on(20, 30)


@fault(3, needs=NEEDS)
def cut_over_quota(scene):
    """The owner is cut while operations of its clients fail (R2)."""
    volume, node = volume_and_owner(scene)
    with Quota(scene, volume):
        wait_full(scene, volume)
        scene.pause(0, 0.5)
        scene.crash(node)
        scene.wait_served_by(other(node))
        scene.go_on()


@fault(3, needs=NEEDS)
def quota_then_cut(scene):
    """The quota is lowered between what was done within it and its replay."""
    volume, node = volume_and_owner(scene)
    with Quota(scene, volume):
        scene.crash(node)
        scene.wait_served_by(other(node))
        scene.go_on()
