/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Get records back, see fetch.h. */

#include <errno.h>
#include <poll.h>
#include "fetch.h"
#include "nodes.h"
#include "peer.h"

/* Without a sign of life for so long, give up and let the parent try again. */
#define SILENCE_MS 5000

static int fetch_wait(struct peer_link *link)
{
	struct pollfd pfd = {
		.fd = link_fd(link),
		.events = link_events(link),
	};
	int n = poll(&pfd, 1, SILENCE_MS);

	if (n == -1) {
		return errno == EINTR ? 0 : errno;
	}
	return n == 0 ? ETIMEDOUT : 0;
}

/* The next message, which also has to be of this type or REFUSED. */
static int fetch_receive(TALLOC_CTX *mem_ctx,
			 struct peer_link *link,
			 struct message *message)
{
	for (;;) {
		enum frame_type type;
		uint8_t *payload;
		size_t length;
		int ret;

		ret = link_receive(link, &type, &payload, &length);
		if (ret == 0) {
			if (type == FRAME_RECORD) {
				return EBADMSG;
			}
			return message_decode(mem_ctx, type, payload, length,
					      message);
		}
		if (ret != EAGAIN) {
			return ret;
		}
		if (link_pending(link) > 0) {
			ret = link_flush(link);
			if (ret != 0 && ret != EAGAIN) {
				return ret;
			}
		}
		ret = fetch_wait(link);
		if (ret != 0) {
			return ret;
		}
	}
}

static int fetch_connect(TALLOC_CTX *mem_ctx,
			 struct mirrord *mirrord,
			 uint32_t node,
			 struct peer_link **_link)
{
	const struct message hello = {
		.type = FRAME_HELLO,
		.version_min = WIRE_VERSION_MIN,
		.version_max = WIRE_VERSION_MAX,
		.role = HELLO_ROLE_CONTROL,
		.node = mirrord->nodes->own,
	};
	struct message welcome;
	struct peer_link *link;
	int ret;

	ret = peer_connect_fresh(mem_ctx, mirrord, node, &link);
	if (ret != 0) {
		return ret;
	}
	while ((ret = link_handshake(link)) == EAGAIN) {
		ret = fetch_wait(link);
		if (ret != 0) {
			break;
		}
	}
	if (ret == 0) {
		ret = link_send_message(link, &hello);
	}
	if (ret == 0) {
		ret = fetch_receive(link, link, &welcome);
	}
	if (ret == 0 && (welcome.type != FRAME_WELCOME ||
			 welcome.node != node)) {
		ret = EBADMSG;
	}
	if (ret != 0) {
		talloc_free(link);
		return ret;
	}
	*_link = link;
	return 0;
}

static int fetch_stream(struct peer_link *link,
			fetch_visitor visitor,
			void *private_data)
{
	uint64_t count = 0;

	for (;;) {
		TALLOC_CTX *frame = talloc_new(link);
		struct message message;
		bool end = false;
		int ret;

		ret = fetch_receive(frame, link, &message);
		if (ret == 0 && message.type == FRAME_FETCHED) {
			count++;
			ret = visitor(&message.session, message.data,
				      message.data_length, private_data);
		} else if (ret == 0 && message.type == FRAME_FETCH_END) {
			ret = (int)message.reason;
			if (ret == 0 && message.count != count) {
				ret = EBADMSG;
			}
			end = true;
		} else if (ret == 0 && message.type == FRAME_REFUSED) {
			ret = message.reason == REFUSED_NO_STORE ? ENOENT :
				EACCES;
		} else if (ret == 0) {
			ret = EBADMSG;
		}
		talloc_free(frame);
		if (ret != 0 || end) {
			return ret;
		}
	}
}

int fetch_records(TALLOC_CTX *mem_ctx,
		  struct mirrord *mirrord,
		  uint32_t node,
		  const char *volume,
		  uint64_t generation,
		  const struct mirror_id *session,
		  uint64_t from_sequence,
		  fetch_visitor visitor,
		  void *private_data)
{
	const struct message request = {
		.type = FRAME_FETCH,
		.volume = volume,
		.generation = generation,
		.session = *session,
		.sequence = from_sequence,
	};
	struct peer_link *link;
	int ret;

	ret = fetch_connect(mem_ctx, mirrord, node, &link);
	if (ret != 0) {
		return ret;
	}
	ret = link_send_message(link, &request);
	if (ret == 0) {
		ret = fetch_stream(link, visitor, private_data);
	}
	talloc_free(link);
	return ret;
}
