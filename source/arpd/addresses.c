/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Addresses come and go, see addresses.h. */

#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "addresses.h"
#include "connections.h"
#include "ports.h"

#define PROBES 2
#define WISHES_MAX BEACON_ADDRESSES_MAX
#define RETRY_MS 1000

struct take;

struct addresses {
	struct arpd *arpd;
	struct take *takes;	/* under way */
	/* What somebody else still has: again later. */
	struct address_wish wanted[WISHES_MAX];
	uint32_t num_wanted;
	struct timer *retry;
};

struct taking {
	struct net_address address;
	uint32_t interface;
	bool here;		/* before we came */
	bool released;		/* meanwhile */
	bool claimed;
	struct net_mac claimed_by;
};

struct take {
	struct take *next;
	struct arpd *arpd;
	struct tevent_req *req;
	struct taking rows[WISHES_MAX];
	uint32_t count;
	uint32_t probes;
	int error;
	char *problem;
};

static void event_address(struct arpd *arpd, enum event_id id,
			  const struct net_address *address,
			  uint32_t interface)
{
	const struct interface *row = interfaces_by_index(arpd->interfaces,
							  interface);
	char *text = net_address_print(arpd, address);

	event_log(id, "%s on %s", text, row != NULL ? row->name : "?");
	talloc_free(text);
}

/* ----------------------------------------------------------- who has it now */

static void take_fail(struct take *take, int error, char *problem)
{
	if (take->error == 0) {
		take->error = error;
		take->problem = problem;
	}
}

/* NET_NOBODY: not one of the cluster's. */
static uint32_t node_of_mac(const struct arpd *arpd,
			    const struct net_mac *mac)
{
	const struct peer *const *list;
	uint32_t count, i, j;

	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		for (j = 0; j < list[i]->num_paths; j++) {
			if (net_mac_same(&list[i]->paths[j]->their_mac, mac)) {
				return list[i]->node;
			}
		}
	}
	return NET_NOBODY;
}

static bool is_own_mac(const struct arpd *arpd, const struct net_mac *mac)
{
	const struct interface *rows;
	uint32_t count, i;

	rows = interfaces_list(arpd->interfaces, &count);
	for (i = 0; i < count; i++) {
		if (net_mac_same(&rows[i].mac, mac)) {
			return true;
		}
	}
	return false;
}

static bool holds(const struct peer *peer, const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < peer->num_addresses; i++) {
		if (peer_holds(&peer->addresses[i]) &&
		    net_address_same(&peer->addresses[i].address, address)) {
			return true;
		}
	}
	return false;
}

/* A living node that holds it answers for it, or has it answered. */
static const struct peer *holder_of(const struct arpd *arpd,
				    const struct net_address *address)
{
	const struct peer *const *list;
	uint32_t count, i;

	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		if (list[i]->state == PEER_ALIVE && holds(list[i], address)) {
			return list[i];
		}
	}
	return NULL;
}

static bool may_take(struct take *take, const struct taking *row)
{
	struct arpd *arpd = take->arpd;
	const struct peer *peer = holder_of(arpd, &row->address);
	char *text = net_address_print(take, &row->address);
	uint32_t node;
	char *mac;

	if (peer != NULL) {
		take_fail(take, EEXIST, talloc_asprintf(
			take, "node %u still has %s; it is added when that "
			"node gave it up", peer->node, text));
		return false;
	}
	if (!row->claimed) {
		return true;
	}
	mac = net_mac_print(take, &row->claimed_by);
	node = node_of_mac(arpd, &row->claimed_by);
	if (node != NET_NOBODY) {
		event_log(EVENT_OLD_OWNER_ANSWERS, "%s: node %u (%s) does not "
			  "take part any more, but its kernel still answers "
			  "for it", text, node, mac);
		return true;
	}
	event_log_once(EVENT_DUPLICATE_ADDRESS, text, "%s: %s has it", text,
		       mac);
	take_fail(take, EEXIST, talloc_asprintf(
		take, "%s is used by %s already; it is not added before that "
		"ends", text, mac));
	return false;
}

/* ------------------------------------------------------------- again, later */

static void retried(struct tevent_req *req)
{
	char *problem;

	/* Who still wants it is in the list again. */
	addresses_take_recv(req, req, &problem);
	talloc_free(req);
}

static void retry(void *private_data)
{
	struct addresses *addresses = private_data;
	struct address_wish wanted[WISHES_MAX];
	uint32_t count = addresses->num_wanted;
	struct tevent_req *req;

	addresses->retry = NULL;
	memcpy(wanted, addresses->wanted, sizeof(wanted));
	addresses->num_wanted = 0;
	if (count == 0) {
		return;
	}
	req = addresses_take_send(addresses, addresses->arpd, wanted, count);
	if (req != NULL) {
		tevent_req_set_callback(req, retried, addresses);
	}
}

static void forget_wish(struct addresses *addresses,
			const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < addresses->num_wanted; i++) {
		if (net_address_same(&addresses->wanted[i].address,
				     address)) {
			addresses->wanted[i] =
				addresses->wanted[--addresses->num_wanted];
			return;
		}
	}
}

static void want_later(struct addresses *addresses,
		       const struct taking *row,
		       const struct interface *interface)
{
	struct address_wish *wish;

	forget_wish(addresses, &row->address);
	if (addresses->num_wanted == WISHES_MAX) {
		return;
	}
	wish = &addresses->wanted[addresses->num_wanted++];
	wish->address = row->address;
	memcpy(wish->interface, interface->name, sizeof(wish->interface));
	if (addresses->retry == NULL) {
		addresses->retry = timer_start(addresses, addresses->arpd->ev,
					       RETRY_MS, retry, addresses);
	}
}

/* Was it released while it was being taken? Then it is not added. */
static void cancel_takes(struct addresses *addresses,
			 const struct net_address *address)
{
	struct take *take;
	uint32_t i;

	for (take = addresses->takes; take != NULL; take = take->next) {
		for (i = 0; i < take->count; i++) {
			if (net_address_same(&take->rows[i].address,
					     address)) {
				take->rows[i].released = true;
			}
		}
	}
}

/* ------------------------------------------------------------------- taking */

static void take_finish(struct take *take)
{
	struct arpd *arpd = take->arpd;
	uint32_t i;

	for (i = 0; i < take->count; i++) {
		const struct taking *row = &take->rows[i];
		const struct interface *interface = interfaces_by_index(
			arpd->interfaces, row->interface);
		int ret = 0;

		if (interface == NULL || row->released) {
			continue;
		}
		if (!row->here && !may_take(take, row)) {
			want_later(arpd->addresses, row, interface);
			continue;
		}
		if (!row->here) {
			ret = privileged_address(arpd->privileged, true,
						 &row->address,
						 row->interface);
		}
		if (ret != 0 && ret != EEXIST) {
			char *text = net_address_print(take, &row->address);

			take_fail(take, ret, talloc_asprintf(
				take, "cannot add %s to %s: %s", text,
				interface->name, strerror(ret)));
			continue;
		}
		arpd_announce(arpd, &row->address, interface);
		if (!row->here) {
			event_address(arpd, EVENT_ADDRESS_ADDED,
				      &row->address, row->interface);
			connections_tickle(arpd->connections, &row->address);
		}
	}
	/* The others learn of it at once, not with the next beacon. */
	arpd_note(arpd);
	if (take->error != 0) {
		tevent_req_error(take->req, take->error);
	} else {
		tevent_req_done(take->req);
	}
}

static void take_probe(void *private_data)
{
	struct take *take = private_data;
	struct arpd *arpd = take->arpd;
	uint8_t frame[FRAME_MAX];
	bool last = take->probes == PROBES;
	uint32_t open = 0;
	uint32_t i;

	for (i = 0; !last && i < take->count; i++) {
		const struct taking *row = &take->rows[i];
		const struct interface *interface = interfaces_by_index(
			arpd->interfaces, row->interface);

		if (row->here || row->claimed || interface == NULL ||
		    !interface->carrier) {
			continue;
		}
		open++;
		ports_send(arpd->ports, row->interface, frame,
			   frame_probe(frame, &row->address,
				       &interface->mac));
	}
	if (open == 0) {
		take_finish(take);
		return;
	}
	take->probes++;
	if (timer_start(take, arpd->ev, ADDRESSES_PROBE_MS, take_probe,
			take) == NULL) {
		tevent_req_oom(take->req);
	}
}

static bool choose_interface(struct take *take,
			     const struct address_wish *wish,
			     struct taking *row)
{
	struct arpd *arpd = take->arpd;
	const struct interface *rows, *chosen = NULL;
	char *text = net_address_print(take, &wish->address);
	uint8_t prefix = net_address_bits(&wish->address);
	uint32_t count, i;

	row->address = wish->address;
	chosen = interfaces_by_address(arpd->interfaces, &wish->address);
	if (chosen != NULL) {
		row->here = true;
		row->interface = chosen->index;
		return true;
	}
	rows = interfaces_list(arpd->interfaces, &count);
	for (i = 0; wish->interface[0] != '\0' && i < count; i++) {
		if (strcmp(rows[i].name, wish->interface) == 0 &&
		    !rows[i].interconnect && rows[i].index != 0) {
			chosen = &rows[i];
		}
	}
	if (wish->interface[0] == '\0') {
		chosen = interfaces_for_address(arpd->interfaces,
						&wish->address, &prefix);
		if (row->address.prefix == net_address_bits(&row->address)) {
			row->address.prefix = prefix;
		}
	}
	if (chosen == NULL) {
		take_fail(take, ENODEV, wish->interface[0] != '\0' ?
			talloc_asprintf(take, "%s: there is no client "
					"interface %s", text,
					wish->interface) :
			talloc_asprintf(take, "%s: no client interface has an "
					"address of its network; give one to "
					"the interface that it belongs to, or "
					"see mirror:SERVICE addresses", text));
		return false;
	}
	row->interface = chosen->index;
	return true;
}

static void take_cleanup(struct tevent_req *req,
			 enum tevent_req_state req_state)
{
	struct take *take = tevent_req_data(req, struct take);
	struct take **link = &take->arpd->addresses->takes;

	while (*link != NULL && *link != take) {
		link = &(*link)->next;
	}
	if (*link == take) {
		*link = take->next;
	}
}

struct tevent_req *addresses_take_send(TALLOC_CTX *mem_ctx,
				       struct arpd *arpd,
				       const struct address_wish *wishes,
				       uint32_t count)
{
	struct take *take;
	struct tevent_req *req = tevent_req_create(mem_ctx, &take,
						   struct take);
	uint32_t i;

	if (req == NULL) {
		return NULL;
	}
	take->arpd = arpd;
	take->req = req;
	take->next = arpd->addresses->takes;
	arpd->addresses->takes = take;
	tevent_req_set_cleanup_fn(req, take_cleanup);
	for (i = 0; i < count && i < WISHES_MAX; i++) {
		if (choose_interface(take, &wishes[i],
				     &take->rows[take->count])) {
			take->count++;
		}
	}
	/* From the loop: nobody has set a callback yet. */
	if (timer_start(take, arpd->ev, 0, take_probe, take) == NULL) {
		tevent_req_oom(req);
		return tevent_req_post(req, arpd->ev);
	}
	return req;
}

int addresses_take_recv(struct tevent_req *req, TALLOC_CTX *mem_ctx,
			char **problem)
{
	struct take *take = tevent_req_data(req, struct take);
	enum tevent_req_state state;
	uint64_t error = 0;

	*problem = talloc_steal(mem_ctx, take->problem);
	if (tevent_req_is_error(req, &state, &error)) {
		return state == TEVENT_REQ_USER_ERROR ? (int)error : ENOMEM;
	}
	return 0;
}

/* With the prefix that it has there: the kernel wants to hear it. */
static struct net_address as_it_is(const struct interface *interface,
				   const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < interface->num_addresses; i++) {
		if (net_address_same(&interface->addresses[i].address,
				     address)) {
			return interface->addresses[i].address;
		}
	}
	return *address;
}

int addresses_release(struct arpd *arpd, const struct net_address *address)
{
	const struct interface *interface = interfaces_by_address(
		arpd->interfaces, address);
	struct net_address whole;
	int ret;

	forget_wish(arpd->addresses, address);
	cancel_takes(arpd->addresses, address);
	announce_stop(arpd->announce, address, 0);
	if (interface == NULL) {
		return 0;
	}
	/* After this the kernel has nothing of them any more. */
	connections_leave(arpd->connections, address);
	whole = as_it_is(interface, address);
	ret = privileged_address(arpd->privileged, false, &whole,
				 interface->index);
	if (ret == 0) {
		event_address(arpd, EVENT_ADDRESS_REMOVED, address,
			      interface->index);
		arpd_note(arpd);
	}
	return ret == EADDRNOTAVAIL ? 0 : ret;
}

/* ------------------------------------------------------------ what is heard */

static void heard_while_taking(struct addresses *addresses,
			       uint32_t interface,
			       const struct frame_claim *claim)
{
	struct take *take;
	uint32_t i;

	for (take = addresses->takes; take != NULL; take = take->next) {
		for (i = 0; i < take->count; i++) {
			struct taking *row = &take->rows[i];

			if (row->interface == interface &&
			    net_address_same(&row->address,
					     &claim->address)) {
				row->claimed = true;
				row->claimed_by = claim->mac;
			}
		}
	}
}

/* The node for which we pass it through is back: it knows best. */
static bool is_holders_word(const struct arpd *arpd,
			    const struct frame_claim *claim)
{
	uint32_t i;

	for (i = 0; i < arpd->plan->num_passing; i++) {
		const struct plan_passing *row = &arpd->plan->passing[i];

		if (net_address_same(&row->address, &claim->address)) {
			return node_of_mac(arpd, &claim->mac) == row->node;
		}
	}
	return false;
}

void addresses_heard(struct addresses *addresses, uint32_t interface,
		     const struct frame_claim *claim)
{
	struct arpd *arpd = addresses->arpd;

	/* Another probe is a claim as well (RFC 5227, 2.1.1): of somebody who
	 * will have it. A mere question is none. */
	if ((!claim->is_claim && !claim->is_probe) ||
	    is_own_mac(arpd, &claim->mac)) {
		return;
	}
	heard_while_taking(addresses, interface, claim);
	if (claim->is_claim && !is_holders_word(arpd, claim) &&
	    announce_heard(arpd->announce, interface, &claim->address,
			   &claim->mac) &&
	    node_of_mac(arpd, &claim->mac) == NET_NOBODY) {
		char *text = net_address_print(arpd, &claim->address);
		char *mac = net_mac_print(text, &claim->mac);

		event_log_once(EVENT_ADDRESS_CLAIMED, text, "%s: %s says that "
			       "it has it, too", text, mac);
		talloc_free(text);
	}
}

int addresses_new(struct arpd *arpd, struct addresses **_addresses)
{
	*_addresses = talloc_zero(arpd, struct addresses);
	if (*_addresses == NULL) {
		return ENOMEM;
	}
	(*_addresses)->arpd = arpd;
	return 0;
}
