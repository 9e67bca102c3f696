/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Events that an administrator has to know of, as the daemons tell them.
 *
 * Owns: the list of events. Each has an id that never changes and is never
 * used again for something else, so that it can be looked up, searched for
 * and alarmed on; a name; a severity; and what to do.
 * Does not own: debug messages (the daemons' own), the log files (syslog).
 *
 * A line:  M003 link-wrong-key: 10.255.0.2:4380 does not have our cluster
 *          key. Copy the key file from ...
 */

#ifndef MIRROR_EVENT_LOG_H
#define MIRROR_EVENT_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* One row each: EVENT_..., id, name, severity of syslog(3), what to do. */
#define EVENT_LOG_TABLE(EVENT)						\
	EVENT(CONFIG_ERROR, "M001", "config-error", LOG_ERR,		\
	      "Correct it (\"net conf\" or smb.conf), then restart")	\
	EVENT(KEY_UNUSABLE, "M002", "key-unusable", LOG_ERR,		\
	      "Make the cluster key, or copy it from a node that works " \
	      "(mirror:key file; owner root, mode 600), then restart")	\
	EVENT(LINK_WRONG_KEY, "M003", "link-wrong-key", LOG_ERR,	\
	      "If it is a node of this cluster: copy the key file "	\
	      "from a node that works. If not: find out who it is")	\
	EVENT(LINK_NOT_PEER, "M004", "link-not-peer", LOG_WARNING,	\
	      "Either the two nodes do not agree on encryption, or "	\
	      "something else connects to this port")			\
	EVENT(LINK_UP, "M005", "link-up", LOG_NOTICE, "")		\
	EVENT(LINK_DOWN, "M006", "link-down", LOG_WARNING,		\
	      "It comes back by itself. If not: see whether that node "	\
	      "and its mirrord run, and mirrorctl network")		\
	EVENT(STORE_LOST, "M010", "store-lost", LOG_WARNING,		\
	      "Nothing to do: all is made stable before more is "	\
	      "acknowledged")						\
	EVENT(STORE_FULL, "M011", "store-full", LOG_WARNING,		\
	      "Clients wait for the volume's disk: it is too slow for "	\
	      "what is written, or the store is too small")		\
	EVENT(STORE_BROKEN, "M012", "store-broken", LOG_ERR,		\
	      "See whether the folder of the mirror stores (mirror:store " \
	      "directory) has room and is in order")			\
	EVENT(STORE_DISCARDED, "M013", "store-discarded", LOG_NOTICE, "") \
	EVENT(RECORDS_LOST, "M014", "records-lost", LOG_CRIT,		\
	      "Both nodes failed: what clients wrote last may be missing. " \
	      "Tell them, compare with a backup")			\
	EVENT(ROLLED_FORWARD, "M015", "rolled-forward", LOG_NOTICE, "")	\
	EVENT(ROLL_FORWARD_FAILED, "M016", "roll-forward-failed", LOG_ERR, \
	      "Clients wait for it; it is tried again")			\
	EVENT(DEGRADED, "M020", "degraded", LOG_WARNING,		\
	      "Clients are served, but every write waits for the disk "	\
	      "and a second failure stops the service: repair the "	\
	      "partner")						\
	EVENT(MIRRORING, "M021", "mirroring", LOG_NOTICE, "")		\
	EVENT(SYNCFS_FAILED, "M022", "syncfs-failed", LOG_CRIT,		\
	      "The volume's disk does not take what was written; the "	\
	      "partner keeps it. See the kernel's log, repair the "	\
	      "disk or move the service")				\
	EVENT(PARTNER_LOST, "M023", "partner-lost", LOG_WARNING,	\
	      "Clients wait until it is back or ctdb has decided")	\
	EVENT(LABEL_FAILED, "M024", "label-failed", LOG_CRIT,		\
	      "The volume's disk does not take the label; it is tried " \
	      "again")							\
	EVENT(FENCING, "M030", "fencing", LOG_NOTICE, "")		\
	EVENT(FENCED, "M031", "fenced", LOG_NOTICE, "")			\
	EVENT(FENCE_FAILED, "M032", "fence-failed", LOG_CRIT,		\
	      "The service stays down until its old owner is known "	\
	      "to be off: switch it off by hand, then confirm it")	\
	EVENT(FENCE_LEVEL, "M070", "fence-agent-failed", LOG_ERR,	\
	      "The next way of fencing is tried, if there is one; "	\
	      "mirrorctl check-takeover tests them")			\
	EVENT(UNFENCED, "M071", "unfenced", LOG_NOTICE, "")		\
	EVENT(UNFENCE_FAILED, "M072", "unfence-failed", LOG_ERR,	\
	      "This node may not write to its disks yet; it is tried "	\
	      "again")							\
	EVENT(FILE_COPIED, "M073", "file-copied", LOG_NOTICE, "")	\
	EVENT(FILE_CONFLICT, "M074", "file-conflict", LOG_WARNING,	\
	      "It is left alone everywhere. Copy the right one to the "	\
	      "other nodes; mirrorctl files shows them")		\
	EVENT(FILE_NOT_COPIED, "M075", "file-not-copied", LOG_WARNING,	\
	      "It is tried again")					\
	EVENT(MOUNTED, "M033", "mounted", LOG_NOTICE, "")		\
	EVENT(REPLAYED, "M034", "replayed", LOG_NOTICE, "")		\
	EVENT(TAKEOVER_DONE, "M035", "takeover-done", LOG_NOTICE, "")	\
	EVENT(TAKEOVER_REFUSED, "M036", "takeover-refused", LOG_CRIT,	\
	      "The service stays down until the cause is removed")	\
	EVENT(RELEASED, "M037", "released", LOG_NOTICE, "")		\
	EVENT(RELEASE_FAILED, "M038", "release-failed", LOG_CRIT,	\
	      "No other node can have the volume until it is unmounted: " \
	      "end the processes that are named")			\
	EVENT(REPLAY_FAILED, "M039", "replay-failed", LOG_CRIT,		\
	      "The volume is not served before all is redone; see the "	\
	      "lines before, repair the disk, it is tried again")	\
	EVENT(NOT_YET, "M042", "not-yet", LOG_NOTICE, "")		\
	EVENT(DISK_REFUSES, "M044", "disk-refuses", LOG_CRIT,		\
	      "See the kernel's log; if this node was fenced, restart it") \
	EVENT(CTDB_GONE, "M043", "ctdb-gone", LOG_CRIT,			\
	      "See ctdb's log. It starts again when no Samba process "	\
	      "has its databases open: end them all, or restart the "	\
	      "node")							\
	EVENT(MOVED_AWAY, "M046", "moved-away", LOG_WARNING,		\
	      "See the lines before: why it is not served here")	\
	EVENT(NOT_MOVED, "M047", "not-moved", LOG_ERR,			\
	      "Move it yourself, if another node can have it: ctdb "	\
	      "moveip")							\
	EVENT(NOT_ADDED, "M048", "addresses-not-added", LOG_ERR,	\
	      "See ctdb's log; ctdb ip tells where it wants the "	\
	      "address, ctdb moveip moves it")				\
	EVENT(DISK_NOT_KEPT, "M049", "disk-not-kept", LOG_WARNING,	\
	      "Make room there. Without it nobody notices when the "	\
	      "device's name means another disk after a boot")		\
	EVENT(REJOINS, "M045", "rejoins", LOG_NOTICE, "")		\
	EVENT(REPLAY_TROUBLE, "M041", "replay-trouble", LOG_WARNING,	\
	      "Compare the named file with what its user expects; the "	\
	      "rest of the volume is served")				\
	EVENT(STATE, "M040", "state", LOG_INFO, "")			\
	EVENT(GIVEBACK, "M100", "giveback", LOG_NOTICE, "")		\
	EVENT(GIVEBACK_FAILED, "M101", "giveback-failed", LOG_WARNING,	\
	      "It is tried again later, or move it yourself: ctdb moveip") \
	EVENT(GIVEBACK_WAITS, "M102", "giveback-waits", LOG_NOTICE, "")	\
	EVENT(TIME_UNSURE, "M103", "time-of-day-unsure", LOG_WARNING,	\
	      "If the new time is wrong, put it right: it is believed "	\
	      "an hour from now, by what is done at a time of day")	\
	EVENT(STARTED, "M050", "started", LOG_NOTICE, "")		\
	EVENT(STOPPED, "M051", "stopped", LOG_NOTICE, "")		\
	EVENT(CONFIG_CHANGED, "M060", "config-changed", LOG_NOTICE, "")	\
	EVENT(CONFIG_REFUSED, "M061", "config-refused", LOG_ERR,	\
	      "The configuration before it stays in force: correct it "	\
	      "(net conf), then see mirrorctl reload")			\
	EVENT(CONFIG_RIGHT, "M062", "config-right", LOG_NOTICE, "")	\
	EVENT(CONFIG_WAITS, "M063", "config-waits", LOG_WARNING,	\
	      "End mirrord on one node after the other; it starts again " \
	      "and clients see a short pause")				\
	EVENT(CONFIG_NOT_SAVED, "M064", "config-not-saved", LOG_ERR,	\
	      "smbd goes by the old one: see whether the run directory " \
	      "has room, then mirrorctl reload")			\
	EVENT(ANCHOR_FAILED, "M065", "anchor-failed", LOG_ERR,		\
	      "ctdb does not place that address as configured; it is "	\
	      "tried again")						\
	EVENT(ANCHOR_CHANGED, "M066", "anchor-changed", LOG_NOTICE, "")	\
	EVENT(SCRIPTS_FAILED, "M067", "scripts-failed", LOG_ERR,	\
	      "New addresses or names of services may not be there: see " \
	      "ctdb event status legacy reconfigure")			\
	EVENT(MIRRORD_HUNG, "M080", "mirrord-hung", LOG_ERR,		\
	      "Nothing is lost, it is started again. If it comes again: " \
	      "report it, with the lines before")			\
	EVENT(MIRRORD_SLOW, "M081", "mirrord-slow", LOG_WARNING,	\
	      "Look for what takes the processor or the memory of this " \
	      "node (top, vmstat), and in the kernel's log")		\
	EVENT(VOLUME_READ_ONLY, "M082", "volume-read-only", LOG_CRIT,	\
	      "The service moves to another node. See the kernel's log, " \
	      "check the file system (e2fsck, xfs_repair) and the disk") \
	EVENT(VOLUME_IO_ERROR, "M083", "volume-io-error", LOG_CRIT,	\
	      "The service moves to another node. See the kernel's log, " \
	      "check cables and disk")					\
	EVENT(VOLUME_STALLS, "M084", "volume-stalls", LOG_WARNING,	\
	      "See the kernel's log, multipath and the storage: clients " \
	      "wait when the mirror store is full")			\
	EVENT(LAG_HIGH, "M085", "lag-high", LOG_WARNING,		\
	      "The volume's disk is slower than what is written. If it " \
	      "lasts: a faster disk, or a larger mirror:store size")	\
	EVENT(LEASE_MISSED, "M086", "lease-missed", LOG_ERR,		\
	      "Clients wait. See mirrorctl status here and on the "	\
	      "partner, and mirrorctl network")				\
	EVENT(CLOCK_STEPPED, "M087", "clock-stepped", LOG_WARNING,	\
	      "ctdb goes by the wall clock: see CLOCKS in mirrord(8), "	\
	      "and let the time server's client slew, not step")	\
	EVENT(MEMORY_LOW, "M088", "memory-low", LOG_WARNING,		\
	      "Give the node more memory, or set a smaller mirror:store " \
	      "size: without room this node cannot be a partner")	\
	EVENT(SAMBA_STARTED, "M089", "samba-started-again", LOG_WARNING, \
	      "Samba's log has why it ended; its clients connect again") \
	EVENT(TROUBLE_OVER, "M090", "trouble-over", LOG_NOTICE, "")	\
	EVENT(NODE_UNHEALTHY, "M091", "node-unhealthy", LOG_ERR,	\
	      "Its services move to other nodes. The reason: ctdb "	\
	      "scriptstatus, mirrorctl health")				\
	EVENT(NODE_HEALTHY, "M092", "node-healthy", LOG_NOTICE, "")	\
	EVENT(NOTIFY_DROPPED, "M093", "notifications-dropped", LOG_WARNING, \
	      "See mirrorctl log for what was not sent")		\
	EVENT(NOTIFY_FAILED, "M094", "notify-failed", LOG_WARNING,	\
	      "Correct what the text names, then try: mirrorctl "	\
	      "notify-test")						\
	EVENT(NOTIFY_TEST, "M095", "notify-test", LOG_CRIT,		\
	      "Nothing to do: somebody tries whether this arrives")	\
	EVENT(ARPD_STARTED, "N001", "arpd-started", LOG_NOTICE, "")	\
	EVENT(ARPD_STOPPED, "N002", "arpd-stopped", LOG_NOTICE, "")	\
	EVENT(ARPD_CONFIG, "N003", "arpd-config-error", LOG_ERR,	\
	      "Correct it, then start arpd")				\
	EVENT(PLAN_FAILED, "N004", "network-not-changed", LOG_CRIT,	\
	      "The kernel did not take a change of routes, rules, "	\
	      "proxies or nftables; it is tried again. Is nftables "	\
	      "installed, is a kernel module missing?")			\
	EVENT(CUT_OFF, "N006", "cut-off", LOG_CRIT,			\
	      "See the cables and switches of this node")		\
	EVENT(DEATH_UNTOLD, "N007", "death-untold", LOG_ERR,		\
	      "ctdb finds it out itself, in seconds")			\
	EVENT(ARPD_CHANGED, "N008", "arpd-config-changed", LOG_NOTICE, "") \
	EVENT(ARPD_KEPT, "N009", "arpd-config-kept", LOG_ERR,		\
	      "What was in force stays. Correct the file; it is read "	\
	      "again when it changes")					\
	EVENT(PATH_UP, "N010", "path-up", LOG_NOTICE, "")		\
	EVENT(PATH_NO_CARRIER, "N011", "path-no-carrier", LOG_WARNING,	\
	      "Check the cable, the port of the switch and whether the " \
	      "other end is on")					\
	EVENT(PATH_NOT_HEARD, "N012", "path-not-heard", LOG_WARNING,	\
	      "If the other node runs: check its port and cable, and "	\
	      "the switches between the two (VLAN, loop protection, "	\
	      "filters of multicast or of EtherType 0x88b5)")		\
	EVENT(PATH_ONE_WAY, "N013", "path-one-way", LOG_WARNING,	\
	      "Frames get lost in one direction: check the transceivers " \
	      "and fibres, and filters of the switches")		\
	EVENT(PEER_SILENT, "N014", "peer-silent", LOG_ERR,		\
	      "See whether the node runs, and arpd on it")		\
	EVENT(PEER_HEARD, "N015", "peer-heard", LOG_NOTICE, "")		\
	EVENT(PEER_LEFT, "N016", "peer-left", LOG_NOTICE, "")		\
	EVENT(BEACON_WRONG_KEY, "N017", "beacon-wrong-key", LOG_ERR,	\
	      "If it is a node of this cluster: copy the key file "	\
	      "from a node that works, restart arpd. If not: find out "	\
	      "who it is")						\
	EVENT(NODE_TWICE, "N018", "node-twice", LOG_ERR,		\
	      "Two machines are the same node for ctdb: correct the "	\
	      "nodes file or the identity address of one of them")	\
	EVENT(NODE_UNKNOWN, "N019", "node-unknown", LOG_WARNING,	\
	      "The nodes files differ, or two clusters have the same "	\
	      "key: make the files equal, or give each its own key")	\
	EVENT(PASS_ASKED, "N060", "pass-through-asked", LOG_WARNING,	\
	      "See cable, port and switch of the interface")		\
	EVENT(PASSED, "N061", "passed-through", LOG_WARNING,		\
	      "Clients are served through the other node. See cable, "	\
	      "port and switch of the interface")			\
	EVENT(PASS_OVER, "N062", "pass-through-over", LOG_NOTICE, "")	\
	EVENT(PASSING, "N063", "passing", LOG_NOTICE,			\
	      "See cable, port and switch of that node")		\
	EVENT(PASSING_OVER, "N064", "passing-over", LOG_NOTICE, "")	\
	EVENT(ADDRESS_ADDED, "N050", "address-added", LOG_NOTICE, "")	\
	EVENT(ADDRESS_REMOVED, "N051", "address-removed", LOG_NOTICE, "") \
	EVENT(DUPLICATE_ADDRESS, "N052", "duplicate-address", LOG_CRIT,	\
	      "Find that device and give it another address; until "	\
	      "then the address of the service stays down")		\
	EVENT(OLD_OWNER_ANSWERS, "N053", "old-owner-answers", LOG_WARNING, \
	      "Switch that node off if clients do not reach the service") \
	EVENT(TICKLED, "N055", "tickled", LOG_INFO, "")			\
	EVENT(CONNECTIONS_UNKNOWN, "N056", "connections-unknown",	\
	      LOG_WARNING, "Clients wait for their own time-outs after a " \
	      "takeover. Is the kernel's inet_diag there?")		\
	EVENT(ADDRESS_CLAIMED, "N054", "address-claimed", LOG_ERR,	\
	      "Two have this address: find the other one by its MAC")	\
	EVENT(NETWORK_REFUSED, "N040", "network-refused", LOG_ERR,	\
	      "See what else on this node sets routes, rules or "	\
	      "nftables; it is tried again with the next change")	\
	EVENT(REQUEST_REFUSED, "N041", "request-refused", LOG_CRIT,	\
	      "arpd is broken or was broken into: look at what it "	\
	      "logged before, restart it")				\
	EVENT(ARPD_DIED, "N042", "arpd-died", LOG_CRIT,			\
	      "It is started again. Report it, with the lines before "	\
	      "and the kernel's log of this moment")			\
	EVENT(ARPD_GAVE_UP, "N043", "arpd-gave-up", LOG_CRIT,		\
	      "Addresses and routes stay as they are, but nothing "	\
	      "follows the next failure: see why it died, start it "	\
	      "again")							\
	EVENT(DEATH_SAYS, "N044", "death-says", LOG_NOTICE, "")		\
	EVENT(DEATH_FAILED, "N045", "death-failed", LOG_ERR,		\
	      "ctdb notices the death by itself, but later: see why "	\
	      "it was not told (/usr/libexec/samba-mirror/"		\
	      "mirror-ctdb-death)")					\
	EVENT(DEATH, "N030", "node-dead", LOG_WARNING,			\
	      "Its services are here or on another node; repair it")	\
	EVENT(DEATH_NONE, "N031", "node-not-dead", LOG_NOTICE,		\
	      "If it comes again: see why the node's arpd was not heard") \
	EVENT(DEATH_LEFT, "N032", "death-left-to-others", LOG_NOTICE, "") \
	EVENT(DEATH_LATE, "N033", "death-not-hastened", LOG_WARNING,	\
	      "ctdb acts by itself, some seconds later; see its log")	\
	EVENT(DEATH_MENDED, "N034", "connections-mended", LOG_NOTICE, "") \
	EVENT(LOCK_TAKEN, "L001", "lock-taken", LOG_NOTICE, "")		\
	EVENT(LOCK_REFUSED, "L002", "lock-refused", LOG_NOTICE,		\
	      "If nobody has it: let ctdb go on where it was held "	\
	      "last (ctdb continue, ctdb unban)")			\
	EVENT(LOCK_LOST, "L003", "lock-lost", LOG_ERR,			\
	      "This node stops until it gets the lock again; see why it " \
	      "lost its way to the lock and to the other nodes")	\
	EVENT(LOCK_UNUSABLE, "L004", "lock-unusable", LOG_ERR,		\
	      "Nobody can lead who does not lead yet: see the lines "	\
	      "before, and mirror-ctdb-lock show")			\
	EVENT(LOCK_COPY_FAILED, "L005", "lock-copy-failed", LOG_ERR,	\
	      "Repair the disk or the way to it; it is tried again")	\
	EVENT(LOCK_COPY_LOST, "L006", "lock-copy-lost", LOG_WARNING,	\
	      "It goes on with the other copy: repair this one")	\
	EVENT(LOCK_COPY_BACK, "L007", "lock-copy-back", LOG_NOTICE, "")	\
	EVENT(LOCK_AWAY, "L008", "lock-away", LOG_CRIT,			\
	      "Service goes on, but a further failure can stop it: "	\
	      "repair the disk of the mailbox, the witness, or the way " \
	      "to it")							\
	EVENT(LOCK_BACK, "L009", "lock-back", LOG_NOTICE, "")		\
	EVENT(LOCK_MEMBERS, "L010", "lock-members", LOG_NOTICE, "")	\
	EVENT(LOCK_FENCING, "L011", "lock-fencing", LOG_NOTICE, "")	\
	EVENT(LOCK_FENCE_FAILED, "L012", "lock-fence-failed", LOG_CRIT,	\
	      "Switch that node off by hand, then: mirror-ctdb-lock "	\
	      "clear")							\
	EVENT(LOCK_STAYS, "L013", "lock-says-held", LOG_WARNING,	\
	      "While ctdb is connected to this node, the others do not " \
	      "get the lock: repair the mailbox or witness, or the way " \
	      "to it")							\
	EVENT(LOCK_FREED, "L014", "lock-freed", LOG_NOTICE, "")

#define EVENT_LOG_ENUM(symbol, code, name, severity, advice) EVENT_##symbol,
enum event_id {
	EVENT_LOG_TABLE(EVENT_LOG_ENUM)
	EVENT_END
};
#undef EVENT_LOG_ENUM

enum event_target {
	EVENT_TO_STDERR,
	EVENT_TO_SYSLOG,
	EVENT_TO_FILE		/* stderr is a log file: with date and time */
};

/* Before this, events go to stderr. */
void event_log_init(const char *program, enum event_target target);

/*
 * Append events to the node's file of them (event_file.h), too, for `mirrorctl
 * log' and mirror-notify. For programs that run on a node, not for tests.
 */
void event_log_keep(void);

/* What happened, to whom, in a sentence without its full stop. */
void event_log(enum event_id id, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * The same, but at most once a minute for this id and key (a peer's address,
 * a volume): what a peer can do again and again must not fill the log. The
 * next line tells how often it happened meanwhile.
 */
void event_log_once(enum event_id id, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define EVENT_KEY_SIZE 64
/* The key for "ADDRESS:PORT", of any port: who connects again and again does
 * so from another one each time. Returns key. */
const char *event_key_of_host(const char *peer, char key[EVENT_KEY_SIZE]);

/* Called with every line that is written; NULL: nobody. */
void event_log_watch(void (*watch)(const char *line));

/* "M003", "link-wrong-key" and what to do ("" if nothing), for lists. */
const char *event_log_code(enum event_id id);
const char *event_log_name(enum event_id id);
const char *event_log_advice(enum event_id id);
/* By its code; false: this version has no such event. */
bool event_log_find(const char *code, enum event_id *id);

#endif /* MIRROR_EVENT_LOG_H */
