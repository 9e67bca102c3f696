/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What has to be done with a volume that is mounted and not yet served: the
 * label tells (R10, R11). See label.h and service.h.
 *
 *   label                          what is done
 *   CLEAN, DEGRADED                nothing; a store of it is obsolete
 *   DEGRADED, nobody is fenced     claim the volume by a label: the old
 *                                  owner's lease is not renewed any more
 *   MIRRORED, store is here        claim it, label REPLAYING, replay
 *   REPLAYING by us, claimed       replay again
 *   either, store at another node  read-back: fetch, replay
 *   ... which lost it              the records are gone: loud, serve
 *   ... which does not answer      refuse; nobody may say they are gone
 *
 * All end with a label DEGRADED of a higher generation: complete, on the disk.
 * It is not written before the last lease of the old owner has lapsed (R12).
 */

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "child.h"
#include "fence.h"
#include "fetch.h"
#include "known_disk.h"
#include "nodes.h"
#include "partner.h"
#include "peer.h"
#include "replay.h"
#include "takeover.h"

#define STATE_MS 2000
#define END_MS 2000

static void fail(struct takeover *takeover, char *problem)
{
	takeover_end(takeover, SERVICE_EVENT_FAILED, SERVICE_FAILED, problem);
}

static void cannot_label(struct takeover *takeover, int ret)
{
	fail(takeover, talloc_asprintf(
		takeover->volume, "cannot write the label of the volume: %s",
		strerror(ret)));
}

/* On a cluster file system others can write labels, too. */
static const struct label *label_there(const struct takeover *takeover,
				       const struct label *found)
{
	return takeover->volume->config->cluster ? found : NULL;
}

static uint64_t lease_ns(const struct takeover *takeover)
{
	return (uint64_t)takeover->mirrord->config->lease_ms * 1000000;
}

/* ----------------------------------------------------------- step 4: serve */

static void serve(struct takeover *takeover)
{
	struct service_volume *volume = takeover->volume;
	struct mirrord *mirrord = takeover->mirrord;
	struct state_page *page = NULL;
	struct stat st;
	int ret;

	ret = state_page_create(takeover, mirrord->config->run_directory,
				volume->config->name, &page);
	if (ret == 0 && fstat(takeover->root_fd, &st) == -1) {
		ret = errno;
	}
	if (ret == 0) {
		state_page_set_device(page, st.st_dev);
		state_page_set_lock_space(page, takeover->next.lock_space);
		ret = owner_new(volume, mirrord, volume->config, page,
				takeover->root_fd, &takeover->next,
				&volume->owner);
	}
	if (ret != 0) {
		fail(takeover, talloc_asprintf(
			volume, "cannot make the state page in %s: %s",
			mirrord->config->run_directory, strerror(ret)));
		return;
	}
	/* Now smbds may work on it. */
	state_page_set_lease(page, takeover->label_begun + lease_ns(takeover));
	state_page_set_mode(page, PAGE_DEGRADED, takeover->next.generation,
			    NULL);
	takeover->root_fd = -1;
	volume->timeline.done = takeover_time(volume);
	if (takeover->disk != NULL) {
		known_disk_keep_later(mirrord, volume->config,
				      takeover->disk);
	}
	event_log(EVENT_TAKEOVER_DONE, "volume %s: served after %" PRIu64
		  " ms (checked %" PRIu64 ", fenced %" PRIu64 ", mounted %"
		  PRIu64 ", replayed %" PRIu64 ": %" PRIu64 " records, %"
		  PRIu64 " bytes)", volume->config->name,
		  volume->timeline.done, volume->timeline.checked,
		  volume->timeline.fenced, volume->timeline.mounted,
		  volume->timeline.replayed, volume->timeline.records,
		  volume->timeline.bytes);
	service_event(volume, SERVICE_EVENT_OK);
}

/* ----------------------------------------------- step 3: label it complete */

static void end_answered(struct tevent_req *req)
{
	struct mirrord *mirrord = tevent_req_callback_data(req,
							   struct mirrord);
	struct message *reply;

	peer_request_recv(req, mirrord, &reply);
	talloc_free(reply);
	talloc_free(req);
}

/* The store of the other node is of no use any more; if it does not hear of
 * it, the label will tell. */
static void end_remote_store(struct takeover *takeover)
{
	const struct message request = {
		.type = FRAME_END,
		.volume = takeover->volume->config->name,
		.generation = takeover->next.generation,
		.role = VOLUME_ROLE_OWNER,
	};
	struct peer *peer = peer_find(takeover->mirrord->peers,
				      takeover->label.partner);
	struct tevent_req *req;

	if (!peer_is_up(peer)) {
		return;
	}
	req = peer_request_send(takeover->mirrord, peer, &request, END_MS);
	if (req != NULL) {
		tevent_req_set_callback(req, end_answered, takeover->mirrord);
	}
}

static void complete_labelled(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	struct store_info info;
	int ret;

	ret = label_write_recv(req);
	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		cannot_label(takeover, ret);
		return;
	}
	volume->forget_locks = false;
	/* R11: never replayed again. */
	partner_info(takeover->mirrord->partner, volume->config->name, &info);
	if (!mirror_id_is_none(&info.incarnation)) {
		if (info.records > 0 && !takeover->local) {
			event_log(EVENT_STORE_DISCARDED, "volume %s: %" PRIu64
				  " records of generation %" PRIu64 ": the "
				  "volume has them or has gone on without",
				  volume->config->name, info.records,
				  info.generation);
		}
		partner_discard(takeover->mirrord->partner,
				volume->config->name);
	}
	if (takeover->label.protection == LABEL_MIRRORED ||
	    takeover->label.protection == LABEL_REPLAYING) {
		end_remote_store(takeover);
	}
	serve(takeover);
}

/*
 * R12: until when may the old owner answer? It was granted its lease by this
 * node; by the disk, until it was fenced; or by a third node, which seals its
 * store, and grants nothing more, before it sends the first record. Clocks
 * differ by less than the 64th part.
 */
static uint64_t old_lease_ends(const struct takeover *takeover)
{
	const struct label *label = &takeover->label;
	uint32_t own = takeover->mirrord->nodes->own;
	uint64_t lease = lease_ns(takeover) + lease_ns(takeover) / 64;
	uint64_t granted = partner_lease_until(
		takeover->mirrord->partner, takeover->volume->config->name);
	uint64_t other = 0;

	if (label->protection == LABEL_CLEAN) {
		return 0;
	}
	if (label->protection == LABEL_DEGRADED) {
		other = fence_time(label->owner);
	} else if (label->partner != own) {
		other = takeover->sealed_at;
	}
	if (takeover->claimed_at != 0) {
		other = takeover->claimed_at;
	}
	if (label->owner == own || other == 0) {
		return granted;
	}
	return other + lease > granted ? other + lease : granted;
}

static void label_complete(struct takeover *takeover);

static void label_complete_later(void *private_data)
{
	label_complete(private_data);
}

static void label_complete(struct takeover *takeover)
{
	const struct label found = takeover->next;
	uint64_t now = state_page_clock();
	uint64_t ends = old_lease_ends(takeover);

	if (now < ends) {
		uint64_t ms = (ends - now) / 1000000 + 1;

		if (timer_start(takeover, takeover->mirrord->ev, ms,
				label_complete_later, takeover) == NULL) {
			fail(takeover, NULL);
		}
		return;
	}
	takeover->label_begun = now;
	takeover->next = label_next(&takeover->next,
				    takeover->mirrord->nodes->own,
				    LABEL_DEGRADED);
	if (takeover->label.protection != LABEL_CLEAN ||
	    takeover->volume->forget_locks) {
		takeover->next.lock_space = takeover->next.generation;
	}
	if (!takeover->named) {
		int ret = label_volume_write(takeover->root_fd,
					     takeover->volume->config->name);

		if (ret != 0) {
			cannot_label(takeover, ret);
			return;
		}
		takeover->named = true;
	}
	takeover->request = label_write_send(takeover, takeover->mirrord->ev,
					     takeover->root_fd,
					     label_there(takeover, &found),
					     &takeover->next);
	if (takeover->request == NULL) {
		fail(takeover, NULL);
		return;
	}
	tevent_req_set_callback(takeover->request, complete_labelled,
				takeover);
}

static void records_lost(struct takeover *takeover, const char *why)
{
	event_log(EVENT_RECORDS_LOST, "volume %s (%s): %s",
		  takeover->volume->config->name,
		  label_describe(takeover, &takeover->label), why);
	label_complete(takeover);
}

/* ---------------------------------------------------------- step 2: replay */

struct replay_work {
	struct takeover *takeover;
	struct replay *replay;
	struct store *store;	/* NULL: fetch */
	int out;
	uint64_t told;
	bool sealed;		/* the other node's store: it was told */
};

static int work_add_local(uint64_t order,
			  const struct mirror_id *session,
			  const uint8_t *record,
			  size_t length,
			  void *private_data)
{
	struct replay_work *work = private_data;

	return replay_add_stored(work->replay, order, session, record,
				 length);
}

struct showing {
	replay_viewer viewer;
	void *viewer_data;
	int ret;	/* the viewer's; it is not the store's affair */
};

static int show_record(uint64_t order,
		       const struct mirror_id *session,
		       const uint8_t *record,
		       size_t length,
		       void *private_data)
{
	struct showing *showing = private_data;

	showing->ret = showing->viewer(record, length, showing->viewer_data);
	return 0;
}

/* Nobody changes a store that is sealed: it is redone from where it lies. */
static int work_read(uint64_t order,
		     replay_viewer viewer,
		     void *viewer_data,
		     void *private_data)
{
	struct replay_work *work = private_data;
	struct showing showing = {
		.viewer = viewer, .viewer_data = viewer_data
	};
	int ret;

	ret = store_read(work->store, order, show_record, &showing);
	if (ret == 0) {
		return showing.ret;
	}
	return ret == ENOENT ? EIO : ret;
}

/* Its last lease runs from now at most, while we go on. */
static void work_sealed(struct replay_work *work)
{
	if (!work->sealed) {
		work->sealed = true;
		dprintf(work->out, "sealed\n");
	}
}

static int work_add_fetched(const struct mirror_id *session,
			    const uint8_t *record,
			    size_t length,
			    void *private_data)
{
	struct replay_work *work = private_data;

	work_sealed(work);
	return replay_add(work->replay, session, record, length);
}

static void work_progress(uint64_t done, uint64_t total, void *private_data)
{
	struct replay_work *work = private_data;

	if (done >= work->told + 1000 || done == total) {
		work->told = done;
		dprintf(work->out, "progress %" PRIu64 " %" PRIu64 "\n", done,
			total);
	}
}

static void work_log(enum replay_level level,
		     const char *message,
		     void *private_data)
{
	struct replay_work *work = private_data;

	if (level != REPLAY_DEBUG) {
		dprintf(work->out, "%s %s\n",
			level == REPLAY_ERROR ? "error" : "warning", message);
	}
}

static int replay_in_child(int out, void *private_data)
{
	const struct mirror_id all = { .bytes = { MIRROR_ID_NONE } };
	struct replay_work *work = private_data;
	struct takeover *takeover = work->takeover;
	struct replay_result result = { .records = 0 };
	int ret;

	work->out = out;
	child_close_sockets(-1);
	ret = replay_new(work, takeover->root_fd, &work->replay);
	if (ret != 0) {
		return ret;
	}
	replay_set_logger(work->replay, work_log, work);
	if (work->store != NULL) {
		replay_set_reader(work->replay, work_read, work);
		ret = store_visit(work->store, NULL, 0, work_add_local, work);
	} else {
		ret = fetch_records(work, takeover->mirrord,
				    takeover->label.partner,
				    takeover->volume->config->name,
				    takeover->label.store_generation, &all, 0,
				    work_add_fetched, work);
		if (ret == 0) {
			work_sealed(work);
		}
	}
	if (ret == 0) {
		ret = replay_run(work->replay, work_progress, work, &result);
		dprintf(out, "result %" PRIu64 " %" PRIu64 "\n",
			result.records, result.bytes);
		dprintf(out, "%s\n", replay_describe(work, &result));
	}
	return ret;
}

static void replay_line(const char *line, void *private_data)
{
	struct takeover *takeover = private_data;
	struct service_volume *volume = takeover->volume;

	if (strcmp(line, "sealed") == 0) {
		takeover->sealed_at = state_page_clock();
		return;
	}
	if (sscanf(line, "progress %" SCNu64 " %" SCNu64,
		   &volume->replay_done, &volume->replay_total) == 2 ||
	    sscanf(line, "result %" SCNu64 " %" SCNu64,
		   &volume->timeline.records, &volume->timeline.bytes) == 2) {
		return;
	}
	if (strncmp(line, "error ", 6) == 0 ||
	    strncmp(line, "warning ", 8) == 0) {
		event_log_once(EVENT_REPLAY_TROUBLE, line, "volume %s: %s",
			       volume->config->name, line);
	}
}

static void replay_finished(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	char *last = NULL;
	int ret;

	ret = child_recv(req, takeover, NULL, &last);
	TALLOC_FREE(takeover->request);
	if (ret == 0) {
		volume->timeline.replayed = takeover_time(volume);
		event_log(EVENT_REPLAYED, "volume %s: %s%s",
			  volume->config->name,
			  takeover->local ? "" : "read-back: ",
			  last != NULL ? last : "");
		label_complete(takeover);
	} else if (ret == ENOENT && !takeover->local) {
		records_lost(takeover, "the node that held the last "
			     "operations has lost them");
	} else {
		event_log_once(EVENT_REPLAY_FAILED, volume->config->name,
			       "volume %s: %s: %s", volume->config->name,
			       strerror(ret), last != NULL ? last : "");
		fail(takeover, talloc_asprintf(
			volume, "replay failed: %s", strerror(ret)));
	}
}

static void replay_start(struct takeover *takeover, struct store *store)
{
	struct replay_work *work = talloc_zero(takeover, struct replay_work);

	if (work == NULL) {
		fail(takeover, NULL);
		return;
	}
	work->takeover = takeover;
	work->store = store;
	takeover->request = child_function_send(
		takeover, takeover->mirrord->ev, replay_in_child, work, 0,
		replay_line, takeover);
	if (takeover->request == NULL) {
		fail(takeover, NULL);
		return;
	}
	tevent_req_set_callback(takeover->request, replay_finished, takeover);
}

static void claim_labelled(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	int ret;

	ret = label_write_recv(req);
	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		cannot_label(takeover, ret);
		return;
	}
	replay_start(takeover, partner_store(takeover->mirrord->partner,
					     volume->config->name));
}

static void replay_own_store(struct takeover *takeover)
{
	struct service_volume *volume = takeover->volume;
	struct store *store = partner_store(takeover->mirrord->partner,
					    volume->config->name);
	int ret;

	takeover->local = true;
	if (takeover->label.protection == LABEL_REPLAYING) {
		replay_start(takeover, store);
		return;
	}
	/* R11: the store first says to which generation it belongs, so that
	 * an interrupted replay goes on. */
	takeover->next = takeover->label;
	takeover->next.generation = takeover->label.generation + 1;
	takeover->next.owner = takeover->mirrord->nodes->own;
	takeover->next.protection = LABEL_REPLAYING;
	ret = store_claim(store, takeover->next.generation);
	if (ret != 0) {
		fail(takeover, talloc_asprintf(
			volume, "cannot claim the mirror store: %s",
			strerror(ret)));
		return;
	}
	takeover->request = label_write_send(takeover, takeover->mirrord->ev,
					     takeover->root_fd,
					     label_there(takeover,
							 &takeover->label),
					     &takeover->next);
	if (takeover->request == NULL) {
		fail(takeover, NULL);
		return;
	}
	tevent_req_set_callback(takeover->request, claim_labelled, takeover);
}

/* ----------------------------------------------- instead of a fence: claim */

static void volume_claimed(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	int ret;

	ret = label_write_recv(req);
	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		cannot_label(takeover, ret);
		return;
	}
	takeover->claimed_at = state_page_clock();
	label_complete(takeover);
}

/*
 * R12: the disk grants the lease of an owner that is degraded, and would go on
 * to grant that of one that was not fenced. Over our label it can write none:
 * its last lease began before this.
 */
static void claim_volume(struct takeover *takeover)
{
	takeover->next = label_next(&takeover->label,
				    takeover->mirrord->nodes->own,
				    LABEL_DEGRADED);
	takeover->request = label_write_send(
		takeover, takeover->mirrord->ev, takeover->root_fd,
		label_there(takeover, &takeover->label), &takeover->next);
	if (takeover->request == NULL) {
		fail(takeover, NULL);
		return;
	}
	tevent_req_set_callback(takeover->request, volume_claimed, takeover);
}

/* -------------------------------------------------- step 1: what is there? */

static bool own_store_matches(struct takeover *takeover)
{
	const struct label *label = &takeover->label;
	struct store_info info;

	partner_info(takeover->mirrord->partner,
		     takeover->volume->config->name, &info);
	return !mirror_id_is_none(&info.incarnation) &&
		mirror_id_equal(&info.incarnation, &label->incarnation) &&
		info.generation == label->store_generation &&
		(label->protection == LABEL_MIRRORED ||
		 info.claim == label->generation);
}

static void holder_answered(struct tevent_req *req)
{
	struct takeover *takeover = tevent_req_callback_data(req,
							     struct takeover);
	struct service_volume *volume = takeover->volume;
	struct message *reply;
	bool same;
	int ret;

	ret = peer_request_recv(req, takeover, &reply);
	TALLOC_FREE(takeover->request);
	if (ret != 0) {
		/* Refused: the volume is unmounted, so that the node that
		 * holds the records can take it when it is back. */
		talloc_free(reply);
		if (volume->accept_loss) {
			records_lost(takeover, "the administrator accepted it");
			return;
		}
		takeover_end(takeover, SERVICE_EVENT_REFUSED, SERVICE_FAILED,
			     talloc_asprintf(
			volume, "node %u holds the last operations and does "
			"not answer; start it, or, if it is lost for good: "
			"mirrorctl takeover %s --accept-loss",
			takeover->label.partner,
			volume->config->service->name));
		return;
	}
	same = reply->generation == takeover->label.store_generation &&
		mirror_id_equal(&reply->incarnation,
				&takeover->label.incarnation);
	talloc_free(reply);
	if (!same) {
		records_lost(takeover, "the node that held the last "
			     "operations has lost them");
		return;
	}
	replay_start(takeover, NULL);
}

static void ask_holder(struct takeover *takeover)
{
	const struct message request = {
		.type = FRAME_STATE,
		.volume = takeover->volume->config->name,
	};
	struct peer *peer = peer_find(takeover->mirrord->peers,
				      takeover->label.partner);

	if (peer == NULL) {
		records_lost(takeover, "the node that held the last "
			     "operations is not in the nodes file any more");
		return;
	}
	takeover->request = peer_request_send(takeover, peer, &request,
					      STATE_MS);
	if (takeover->request == NULL) {
		fail(takeover, NULL);
		return;
	}
	tevent_req_set_callback(takeover->request, holder_answered, takeover);
}

/* R11: another volume's label says nothing of this one's records. */
static bool is_anothers(struct takeover *takeover, const char *name)
{
	struct service_volume *volume = takeover->volume;
	const struct config_volume *config = volume->config;

	takeover->named = name != NULL;
	if (name == NULL || strcmp(name, config->name) == 0) {
		return false;
	}
	takeover_end(takeover, SERVICE_EVENT_REFUSED, SERVICE_FAILED,
		     talloc_asprintf(
		volume, "what is on %s is the volume %s. Use a name that is "
		"the same disk everywhere (/dev/disk/by-id/...); if the volume "
		"was given another name: mount it by hand, setfattr -x "
		LABEL_VOLUME_XATTR " MOUNTPOINT, unmount it",
		config->cluster ? config->mount_point : config->device, name));
	/* Another node may have the right one. */
	if (volume->failures > 1) {
		move_away(volume);
	}
	return true;
}

void takeover_replay(struct service_volume *volume)
{
	struct takeover *takeover = takeover_get(volume);
	char *name = NULL;
	int ret = 0;

	if (takeover == NULL) {
		return;
	}
	if (volume->timeline.started == 0) {
		volume->timeline.started = service_now();
	}
	/* Again: after a mirrord that was killed it may be new. */
	partner_seal(volume->mirrord->partner, volume->config->name);
	takeover->root_fd = open(volume->config->mount_point,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (takeover->root_fd == -1) {
		ret = errno;
	} else {
		ret = label_read(takeover->root_fd, &takeover->label);
	}
	if (ret == 0) {
		ret = label_volume_read(takeover, takeover->root_fd, &name);
	}
	if (ret != 0) {
		fail(takeover, talloc_asprintf(
			volume, "cannot read the label of the volume: %s",
			ret == EPROTO ? "it was written by a newer version" :
			ret == EBADMSG ? "it is damaged" : strerror(ret)));
		return;
	}
	if (is_anothers(takeover, name)) {
		return;
	}
	takeover->next = takeover->label;
	switch (takeover->label.protection) {
	case LABEL_MIRRORED:
	case LABEL_REPLAYING:
		if (takeover->label.partner != volume->mirrord->nodes->own) {
			ask_holder(takeover);
		} else if (own_store_matches(takeover)) {
			replay_own_store(takeover);
		} else {
			records_lost(takeover, "this node held the last "
				     "operations and has lost them");
		}
		return;
	case LABEL_DEGRADED:
		if (!volume->config->fence &&
		    takeover->label.owner != volume->mirrord->nodes->own) {
			claim_volume(takeover);
			return;
		}
		/* FALLTHROUGH */
	default:
		label_complete(takeover);
		return;
	}
}
