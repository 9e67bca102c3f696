/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Why a takeover would fail, lose data or time: ids for scripts, how bad it is,
 * what to do. docs/check-takeover.md is made from this table.
 */

#ifndef MIRRORD_CHECK_REASONS_H
#define MIRRORD_CHECK_REASONS_H

enum check_severity {
	CHECK_FAILS,		/* it would not be served here */
	CHECK_LOSES,		/* data may be lost, or served twice */
	CHECK_SLOW,		/* it takes longer than it could */
	CHECK_NOTE
};

/* One row each: CHECK_..., id, severity, what to do. */
#define CHECK_REASON_TABLE(R)						\
	R(NO_FENCE, "no-fence", FAILS,					\
	  "Set mirror:fence PNN or mirror:fence command, see FENCING in " \
	  "mirrord(8)")							\
	R(FENCE_AGENT_MISSING, "fence-agent-missing", FAILS,		\
	  "Install the package fence-agents, or correct the name")	\
	R(FENCE_AGENT_FAILS, "fence-agent-fails", FAILS,		\
	  "Try it by hand with its manual page: address, credentials, "	\
	  "plug, the network of the management ports")			\
	R(FENCE_WRONG_NODE, "fence-wrong-node", FAILS,			\
	  "The agent's plug is that of another machine: correct it "	\
	  "before it cuts that off")					\
	R(FENCE_NOT_TESTABLE, "fence-not-testable", NOTE,		\
	  "Use an agent with mirror:fence PNN, or try the command when " \
	  "the node has no service")					\
	R(NODE_AWAY, "node-away", NOTE,					\
	  "Bring it back: what it has and how it is set up cannot be "	\
	  "compared")							\
	R(KEY_DIFFERS, "key-differs", FAILS,				\
	  "Copy the key file (mirror:key file) from a node that works, " \
	  "restart mirrord")						\
	R(MIRRORD_SILENT, "mirrord-silent", SLOW,			\
	  "See whether mirrord runs there (ctdb scriptstatus), and " \
	  "the "	\
	  "network between the nodes")					\
	R(FACTS_MISSING, "facts-missing", NOTE,				\
	  "Run it again; if it stays, see that node's disks and log")	\
	R(NOT_SERVED, "not-served", NOTE,				\
	  "See ctdb ip and mirrorctl status")				\
	R(NOT_MIRRORED, "not-mirrored", SLOW,				\
	  "Clients wait for the disk with every write: see why with "	\
	  "mirrorctl log on both nodes")				\
	R(NOT_MIRRORED_WRITE_BACK, "not-mirrored-write-back", LOSES,	\
	  "See why there is no partner, with mirrorctl log; or set "	\
	  "mirror:degraded = write-through")				\
	R(CLIENTS_WAIT, "clients-wait", SLOW,				\
	  "The owner waits for its partner or for ctdb: see ctdb status " \
	  "and mirrorctl log there")					\
	R(RECORDS_ELSEWHERE, "records-elsewhere", SLOW,			\
	  "Another node is the partner: it is asked for the records; "	\
	  "move the service to that one instead")			\
	R(STORE_NEARLY_FULL, "store-nearly-full", SLOW,			\
	  "A larger mirror:store size, or a faster disk")		\
	R(LAG_HIGH, "lag-high", SLOW,					\
	  "The disk is slower than what is written: all that is not on it " \
	  "has to be redone")						\
	R(DISK_FAILED, "disk-failed", LOSES,				\
	  "Nothing is purged, and a takeover by way of the partner's "	\
	  "records is what saves it: repair the disk or its path " \
	  "there")	\
	R(DEVICE_MISSING, "device-missing", FAILS,			\
	  "Connect the disk to this node (multipath -ll, iscsiadm), " \
	  "or "	\
	  "correct mirror:VOLUME device")				\
	R(DEVICE_UNREADABLE, "device-unreadable", FAILS,		\
	  "See the kernel's log, and whether this node is fenced off it") \
	R(DEVICE_CHANGED, "device-changed", FAILS,			\
	  "Use a name that stays the same disk: /dev/disk/by-id/...; if " \
	  "the disk was replaced on purpose, remove what this node kept " \
	  "of it, /var/lib/samba-mirror/disks/VOLUME")			\
	R(DEVICE_DIFFERS, "device-differs", FAILS,			\
	  "Use a name that is the same disk everywhere: "		\
	  "/dev/disk/by-id/...")					\
	R(MOUNT_POINT_MISSING, "mount-point-missing", FAILS,		\
	  "Make the folder (mkdir), empty")				\
	R(MOUNT_POINT_IN_USE, "mount-point-in-use", FAILS,		\
	  "Unmount what is there")					\
	R(MOUNT_POINT_NOT_EMPTY, "mount-point-not-empty", NOTE,		\
	  "Somebody wrote there while the volume was away: look at " \
	  "it, "	\
	  "move it elsewhere")						\
	R(MOUNTED_ELSEWHERE, "mounted-elsewhere", LOSES,		\
	  "Unmount it: mirrord alone mounts volumes. If both nodes had it " \
	  "mounted, check the file system")				\
	R(IN_FSTAB, "in-fstab", LOSES,					\
	  "Take it out of /etc/fstab: both nodes would mount it")	\
	R(FILE_SYSTEM_UNKNOWN, "file-system-unknown", FAILS,		\
	  "Install the kernel's module of that file system")		\
	R(CLUSTER_VOLUME_UNFIT, "cluster-volume-unfit", FAILS,		\
	  "Mount it on this node: its file system's own tools do that")	\
	R(ANCHOR_NOT_PUBLIC, "anchor-not-public", FAILS,		\
	  "Add it to /etc/ctdb/public_addresses of this node, then: ctdb " \
	  "reloadips")							\
	R(INTERFACE_MISSING, "interface-missing", FAILS,		\
	  "Correct the interface in /etc/ctdb/public_addresses")	\
	R(ARPD_DOWN, "arpd-down", SLOW,					\
	  "Start it: systemctl start mirror-arpd; see its log")		\
	R(STORE_DIRECTORY_FULL, "store-directory-full", SLOW,		\
	  "Free it, or a smaller mirror:store size: this node cannot be a " \
	  "partner")							\
	R(MEMORY_LOW, "memory-low", SLOW,				\
	  "More memory, or a smaller mirror:store size")		\
	R(SMBD_DOWN, "smbd-down", FAILS,				\
	  "See ctdb scriptstatus and smbd's log")			\
	R(MODULE_FAILS, "module-fails", FAILS,				\
	  "Install samba-mirror for the Samba that is installed here")	\
	R(CTDB_DOWN, "ctdb-down", FAILS,				\
	  "Start ctdb on this node; see its log")			\
	R(NODE_BANNED, "node-banned", FAILS,				\
	  "See ctdb's log why, then: ctdb unban")			\
	R(NODE_STOPPED, "node-stopped", FAILS, "ctdb continue")		\
	R(NODE_DISABLED, "node-disabled", FAILS, "ctdb enable")		\
	R(NODE_UNHEALTHY, "node-unhealthy", FAILS,			\
	  "ctdb scriptstatus names the script and what it says")	\
	R(SCRIPT_DISABLED, "event-script-disabled", FAILS,		\
	  "ctdb event script enable legacy NAME")			\
	R(INTERFACE_SCRIPT_ENABLED, "10-interface-enabled", LOSES,	\
	  "ctdb event script disable legacy 10.interface: it adds the "	\
	  "address before the volume is served")			\
	R(NO_CLUSTER_LOCK, "no-cluster-lock", LOSES,			\
	  "Set cluster lock in ctdb.conf of all nodes: without it " \
	  "both "	\
	  "nodes go on when they do not reach each other")		\
	R(FAILOVER_DISABLED, "failover-disabled", FAILS,		\
	  "Take disabled = true out of [failover] in ctdb.conf")	\
	R(TUNABLE_NO_TAKEOVER, "tunable-NoIPTakeover", FAILS,		\
	  "ctdb setvar NoIPTakeover 0, and in ctdb.tunables")		\
	R(TUNABLE_FAILBACK, "tunable-NoIPFailback", SLOW,		\
	  "NoIPFailback=1 in ctdb.tunables: else a service moves whenever " \
	  "a node comes or goes")					\
	R(TUNABLE_ALGORITHM, "tunable-IPAllocAlgorithm", SLOW,		\
	  "IPAllocAlgorithm=2 in ctdb.tunables: with 0 services move "	\
	  "whenever a node comes or goes")				\
	R(TUNABLE_EVENT_SCRIPT_TIMEOUT, "tunable-EventScriptTimeout", FAILS, \
	  "EventScriptTimeout=60 in ctdb.tunables: a release may take 20 s, " \
	  "and ctdb kills the script then")				\
	R(TUNABLE_TAKEOVER_TIMEOUT, "tunable-TakeoverTimeout", FAILS,	\
	  "TakeoverTimeout=30 in ctdb.tunables: ctdb bans a node " \
	  "whose "	\
	  "release or takeover takes longer")				\
	R(TUNABLE_DROP_ALL, "tunable-RecoveryDropAllIPs", SLOW,		\
	  "RecoveryDropAllIPs=10 in ctdb.tunables: less drops addresses in " \
	  "an election that takes a while, more keeps those of a node "	\
	  "that was not elected")					\
	R(TUNABLE_KEEPALIVE, "tunable-keepalive", SLOW,			\
	  "KeepaliveInterval=1 KeepaliveLimit=2 in ctdb.tunables")	\
	R(TUNABLE_RERECOVERY, "tunable-RerecoveryTimeout", SLOW,	\
	  "RerecoveryTimeout=1 in ctdb.tunables: a death soon after a "	\
	  "recovery is noticed only then")				\
	R(LEADER_TIMEOUT, "leader-timeout", SLOW,			\
	  "leader timeout in ctdb.conf: more than (KeepaliveLimit + 1) * " \
	  "KeepaliveInterval seconds")					\
	R(SMB_CONF_DIFFERS, "smb-conf-differs", SLOW,			\
	  "Make /etc/samba/smb.conf equal; what belongs to the cluster is " \
	  "in the registry")						\
	R(CTDB_CONF_DIFFERS, "ctdb-conf-differs", SLOW,			\
	  "Make /etc/ctdb/ctdb.conf equal")				\
	R(TUNABLES_DIFFER, "tunables-differ", SLOW,			\
	  "Make /etc/ctdb/ctdb.tunables equal: those of the leader count") \
	R(OPTIONS_DIFFER, "script-options-differ", NOTE,		\
	  "See whether /etc/ctdb/script.options is to differ")		\
	R(PUBLIC_ADDRESSES_DIFFER, "public-addresses-differ", NOTE,	\
	  "See whether /etc/ctdb/public_addresses is to differ")	\
	R(NODES_DIFFER, "nodes-differ", FAILS,				\
	  "Make ctdb's nodes file equal, then: ctdb reloadnodes")	\
	R(MIRRORD_DIFFERS, "mirrord-differs", NOTE,			\
	  "Install the same version; restart mirrord after an update")	\
	R(MODULE_DIFFERS, "module-differs", NOTE,			\
	  "Install the same version of samba-mirror")			\
	R(SAMBA_DIFFERS, "samba-differs", NOTE,				\
	  "Install the same version of Samba")				\
	R(USERS_DIFFER, "users-differ", FAILS,				\
	  "Users and groups have to have the same numbers on all " \
	  "nodes: "	\
	  "compare /etc/passwd and /etc/group")				\
	R(SCRIPTS_DIFFER, "event-scripts-differ", SLOW,			\
	  "ctdb event script list legacy, on both")			\
	R(CLOCKS_DIFFER, "clocks-differ", SLOW,				\
	  "Let a time server set both (chrony); see CLOCKS in mirrord(8)") \
	R(FILE_DIFFERS, "file-differs", SLOW,				\
	  "mirrorctl files --sync fetches what changed elsewhere; if it " \
	  "cannot tell where: copy the right one yourself")	\
	R(FILE_MISSING, "file-missing", SLOW,				\
	  "Copy it from a node that has it, or take it out of mirror:files")

#define CHECK_REASON_ENUM(symbol, id, severity, action) CHECK_##symbol,
enum check_reason {
	CHECK_REASON_TABLE(CHECK_REASON_ENUM)
	CHECK_REASON_END
};
#undef CHECK_REASON_ENUM

const char *check_reason_id(enum check_reason reason);
enum check_severity check_reason_severity(enum check_reason reason);
const char *check_severity_name(enum check_severity severity);
const char *check_reason_action(enum check_reason reason);

#endif /* MIRRORD_CHECK_REASONS_H */
