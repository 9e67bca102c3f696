# SPDX-License-Identifier: GPL-3.0-or-later
"""The wall clock of one node steps (an administrator, a virtual machine that
moved, a time server that is wrong); monotonic clocks do not.

Nodes that are namespaces share the kernel's clock, so their daemons see it
through libfaketime (clock=faketime of the pair). What mirrord and the module do
goes by CLOCK_BOOTTIME and must not care. ctdb and smbd have tevent's timers,
which go by the wall clock:

  forward   all of them fire at once; over in a second
  back      they stand still for as long as the step is wide. ctdbd answers
            nevertheless, so nobody takes its node for dead; but if it leads,
            nobody else can: its recovery daemon says nothing, and the helper
            that holds the cluster lock does not notice anything either. After
            RecoveryDropAllIPs no node has addresses, until the clock is put
            right or its node is switched off.

Seen to fail, with tevent's timers in mirrord: clock-back-ours (no answers).
"""

from scene import NODES, fault, other

NEEDS = {'clock': 'faketime'}
STEPS = (60, 600, 3600, 6 * 3600)


def step(scene, node, seconds, daemons=('ctdb', 'mirrord', 'smbd')):
    """Of these daemons: files in /run/clock, see tests/testbed/pair."""
    for daemon in daemons:
        scene.lab.on(node, 'bash', '-c', 'cd /run/clock && printf "%%+d\\n" '
                     '$(($(<%s) + %d)) >.new && mv .new %s' % (
                         daemon, seconds, daemon))
    scene.note('clock of %s%s steps by %+d s' % (
        node, '' if len(daemons) == 3 else "'s %s" % ' and '.join(daemons),
        seconds))


@fault(2, needs=NEEDS)
def clock_forward(scene):
    """The clock of a node steps forward, by minutes or hours."""
    step(scene, scene.rng.choice(NODES), scene.rng.choice(STEPS))
    scene.pause(0, 3)


@fault(2, needs=NEEDS)
def clock_back_ours(scene):
    """mirrord's and smbd's steps back, not ctdb's: nobody may notice."""
    step(scene, scene.rng.choice(NODES), -scene.rng.choice(STEPS),
         ('mirrord', 'smbd'))
    scene.go_on(100, 20)


@fault(2, needs=NEEDS)
def clock_back(scene):
    """All of a node's steps back, and is put right before or after ctdb has
    taken all addresses away."""
    node = scene.rng.choice(NODES)
    leads = scene.leader(node) == node
    seconds = scene.rng.choice(STEPS)
    step(scene, node, -seconds)
    if leads:
        scene.note('the leader')
        scene.pause(0, 22)
    else:
        scene.go_on(100, 20)
    step(scene, node, seconds)


@fault(2, needs=NEEDS)
def clock_then_cut(scene):
    """Of two nodes that do not agree about the time, one is cut."""
    node = scene.rng.choice(NODES)
    if scene.rng.random() < 0.5:
        step(scene, node, scene.rng.choice(STEPS))
        victim = scene.rng.choice(NODES)
    else:
        # A ctdbd whose timers stand still does not see that the other is gone.
        step(scene, node, -scene.rng.choice(STEPS))
        victim = node
    scene.pause(0, 4)
    scene.crash(victim)
    scene.wait_served_by(other(victim))
