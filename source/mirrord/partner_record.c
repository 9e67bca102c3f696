/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Links over which smbds of other nodes send records, see partner.h. */

#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "nodes.h"
#include "partner_private.h"
#include "partner_trace.h"
#include "service.h"

/* R5, R11: is this the store that the sender means? */
static enum refused_reason check_hello(struct partner_link *link,
				       const struct message *hello,
				       const char **text)
{
	struct partner_volume *volume;
	struct store_info info;

	volume = partner_volume_find(link->partner, hello->volume);
	if (volume == NULL) {
		*text = "no such volume in the partner's configuration";
		return REFUSED_NO_STORE;
	}
	if (service_volume_role(link->partner->mirrord, volume->name) ==
	    VOLUME_ROLE_OWNER) {
		*text = "this node owns the volume or is taking it over";
		return REFUSED_NOT_PARTNER;
	}
	if (volume->sealed || partner_session_ended(volume, &hello->session)) {
		*text = "the records of this session were fetched back";
		return REFUSED_NOT_PARTNER;
	}
	partner_info(link->partner, volume->name, &info);
	if (mirror_id_is_none(&info.incarnation)) {
		*text = "no store of this volume";
		return REFUSED_NO_STORE;
	}
	if (info.generation != hello->generation) {
		*text = "the store is of another generation";
		return REFUSED_GENERATION;
	}
	if (!mirror_id_is_none(&hello->incarnation) &&
	    !mirror_id_equal(&hello->incarnation, &info.incarnation)) {
		*text = "the store was begun anew since";
		return REFUSED_INCARNATION;
	}
	return 0;
}

static void forget_older_link(struct partner_link *link)
{
	struct partner_link *other, *next;

	/*
	 * The same process connected again: whatever is still in the old
	 * connection it sends again over this one.
	 */
	for (other = link->partner->links; other != NULL; other = next) {
		next = other->next;
		if (other != link && other->volume == link->volume &&
		    mirror_id_equal(&other->session, &link->session)) {
			other->volume = NULL;
			link_io_close(other->io, ECANCELED);
		}
	}
}

void partner_record_hello(struct partner_link *link,
			  const struct message *hello,
			  uint32_t version)
{
	enum refused_reason reason;
	struct message welcome = {
		.type = FRAME_WELCOME,
		.version = version,
		.node = link->partner->mirrord->nodes->own,
	};
	struct store_info info;
	const char *text = "";

	reason = check_hello(link, hello, &text);
	if (reason != 0) {
		partner_refuse(link, hello->volume, reason, text);
		return;
	}
	link->volume = partner_volume_find(link->partner, hello->volume);
	link->session = hello->session;
	forget_older_link(link);

	store_info(link->volume->store, &info);
	link->last = store_session_last(link->volume->store, &link->session);
	link->acknowledged = link->last;
	welcome.generation = info.generation;
	welcome.incarnation = info.incarnation;
	welcome.sequence = link->last;
	link_io_send(link->io, &welcome);
}

static void refuse_record(struct partner_link *link, int error)
{
	const char *volume = link->volume->name;
	const char *peer = link_io_peer(link->io);

	/* What is held already is told before the reason to go. */
	partner_record_drained(link);
	link->volume = NULL;
	switch (error) {
	case ENOSPC:
		event_log_once(EVENT_STORE_FULL, volume,
			       "volume %s: a record did not fit into the "
			       "mirror store", volume);
		partner_refuse(link, volume, REFUSED_FULL,
			       "the epoch has no room (R9)");
		break;
	case ESTALE:
		partner_refuse(link, volume, REFUSED_BROKEN,
			       "the record's epoch is wiped or too far ahead");
		break;
	case EPROTO:
		partner_refuse(link, volume, REFUSED_BROKEN,
			       "a gap in the session's sequence");
		break;
	case EBADMSG:
		event_log_once(EVENT_LINK_NOT_PEER, peer,
			       "%s sent a record that cannot be decoded",
			       peer);
		partner_refuse(link, volume, REFUSED_BROKEN,
			       "not a record");
		break;
	default:
		event_log_once(EVENT_STORE_BROKEN, volume,
			       "volume %s: the mirror store cannot keep a "
			       "record: %s", volume, strerror(error));
		partner_refuse(link, volume, REFUSED_BROKEN,
			       strerror(error));
		break;
	}
}

void partner_record_frame(struct partner_link *link,
			  enum frame_type type,
			  const uint8_t *payload,
			  size_t length)
{
	int ret;

	if (link->volume == NULL) {
		/* Cut: read no more of it. */
		return;
	}
	if (type != FRAME_RECORD) {
		link_io_close(link->io, EBADMSG);
		return;
	}
	if (link->volume->store == NULL) {
		ret = ESTALE;
	} else if (trace_is_on(link->volume->trace)) {
		ret = partner_trace_store(link, payload, length);
	} else {
		ret = store_add(link->volume->store, &link->session, payload,
				length);
	}
	if (ret != 0) {
		refuse_record(link, ret);
		return;
	}
	link->last = store_session_last(link->volume->store, &link->session);
}

void partner_record_drained(struct partner_link *link)
{
	struct message ack = { .type = FRAME_ACK, .sequence = link->last };

	if (link->volume == NULL || link->last == link->acknowledged) {
		return;
	}
	/* One for all that came together. */
	link->acknowledged = link->last;
	link_io_send(link->io, &ack);
	if (link->trace != NULL) {
		partner_trace_acknowledged(link);
	}
}
