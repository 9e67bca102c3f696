/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What partner*.c share.
 *
 *   partner.c          stores, listening, hello
 *   partner_record.c   links of smbds
 *   partner_trace.c    when their records came, if somebody wants to know
 *   partner_control.c  links of mirrords
 */

#ifndef MIRRORD_PARTNER_PRIVATE_H
#define MIRRORD_PARTNER_PRIVATE_H

#include "../common/trace.h"
#include "link_io.h"
#include "partner.h"

struct partner_link;
struct partner_trace;

struct partner_volume {
	struct partner *partner;
	const char *name;
	struct store *store;	/* NULL while it is being begun */
	struct trace *trace;	/* NULL: cannot be made */
	bool sealed;
	uint64_t lease_until;	/* see partner.h */
	/* The link that the last BEGIN came by. */
	uint32_t begin_node;
	uint64_t begin_number;
	/* Sessions that are over (see partner.h); gone with the store. */
	struct mirror_id *ended;
	/* A child grows the store; for whom (NULL: that link is gone). */
	struct tevent_req *beginning;
	struct partner_link *begin_for;
};

struct partner_link {
	struct partner_link *prev, *next;
	struct partner *partner;
	struct link_io *io;
	uint64_t number;	/* grows with every link */
	uint32_t role;		/* 0: no HELLO yet */
	uint32_t node;
	struct timer *hello_deadline;

	/* role record */
	struct partner_volume *volume;
	struct mirror_id session;
	uint64_t last;		/* sequence that the store holds */
	uint64_t acknowledged;
	struct partner_trace *trace;	/* NULL: nothing was traced yet */

	/* role control: a child streams records over this link */
	struct tevent_req *streaming;
};

struct partner {
	struct mirrord *mirrord;
	struct partner_volume **volumes;
	struct partner_link *links;
	int fd;
	struct tevent_fd *fde;
	uint32_t strangers;	/* links without a HELLO */
	uint64_t last_number;
};

struct partner_volume *partner_volume_find(struct partner *partner,
					   const char *name);
void partner_volume_seal(struct partner_volume *volume);
void partner_volume_reset(struct partner_volume *volume);
bool partner_session_ended(const struct partner_volume *volume,
			   const struct mirror_id *session);
/* Cut its link, and keep it from coming back. */
int partner_session_end(struct partner_volume *volume,
			const struct mirror_id *session);

/* For how long what was granted for duration_ms is to be respected: no two
 * clocks run equally fast. */
uint64_t partner_lease_end(uint32_t duration_ms);

/* Tell why and close. */
void partner_refuse(struct partner_link *link,
		    const char *volume,
		    enum refused_reason reason,
		    const char *text);

void partner_record_hello(struct partner_link *link,
			  const struct message *hello,
			  uint32_t version);
void partner_record_frame(struct partner_link *link,
			  enum frame_type type,
			  const uint8_t *payload,
			  size_t length);
void partner_record_drained(struct partner_link *link);

void partner_control_frame(struct partner_link *link,
			   enum frame_type type,
			   const uint8_t *payload,
			   size_t length);

#endif /* MIRRORD_PARTNER_PRIVATE_H */
