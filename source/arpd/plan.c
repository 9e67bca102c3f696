/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the network shall look like, see plan.h. */

#include <sys/socket.h>
#include <string.h>
#include "plan.h"

struct planner {
	const struct settings *settings;
	uint32_t own;
	const struct interfaces *interfaces;
	const struct peers *peers;
	const struct plan *before;
	uint64_t now;
	struct plan *plan;
};

/* A row of one of the arrays of the kernel's plan, zeroed; a plan that has
 * no room is cut: what is left out is not passed through. */
#define ROW(p, array)							\
	((p)->plan->kernel.num_##array < KERNEL_ROWS_MAX ?		\
	 &(p)->plan->kernel.array[(p)->plan->kernel.num_##array++] : NULL)

/* Look again at that time. */
static void again_at(struct planner *p, uint64_t when)
{
	if (p->plan->next == 0 || when < p->plan->next) {
		p->plan->next = when;
	}
}

static struct net_address host(const struct net_address *address)
{
	struct net_address result = *address;

	result.prefix = net_address_bits(address);
	return result;
}

static const struct peer_address *says(const struct peer *peer,
				       enum beacon_address_state state,
				       uint32_t node,
				       const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < peer->num_addresses; i++) {
		const struct peer_address *row = &peer->addresses[i];

		if (row->state == state && row->node == node &&
		    net_address_same(&row->address, address)) {
			return row;
		}
	}
	return NULL;
}

static void add_neighbour(struct planner *p,
			  const struct net_address *address,
			  uint32_t interface,
			  const struct net_mac *mac)
{
	struct kernel_plan *kernel = &p->plan->kernel;
	struct kernel_neighbour *row;
	uint32_t i;

	for (i = 0; i < kernel->num_neighbours; i++) {
		row = &kernel->neighbours[i];
		if (row->interface == interface &&
		    net_address_same(&row->address, address)) {
			return;
		}
	}
	row = ROW(p, neighbours);
	if (row != NULL) {
		*row = (struct kernel_neighbour){
			.address = host(address),
			.interface = interface,
			.mac = *mac,
		};
	}
}

/* ----------------------------------------------------- routes between nodes */

/* All paths are down: what there was is as good as anything. */
static void keep_route(struct planner *p, const struct net_address *node)
{
	const struct kernel_plan *kernel = &p->before->kernel;
	uint32_t i;

	for (i = 0; i < kernel->num_routes; i++) {
		const struct kernel_route *route = &kernel->routes[i];
		struct kernel_route *row;

		if (route->table != 0 ||
		    !net_address_same(&route->destination, node)) {
			continue;
		}
		row = ROW(p, routes);
		if (row != NULL) {
			*row = *route;
		}
	}
	for (i = 0; i < kernel->num_neighbours; i++) {
		const struct kernel_neighbour *row = &kernel->neighbours[i];

		if (net_address_same(&row->address, node)) {
			add_neighbour(p, &row->address, row->interface,
				      &row->mac);
		}
	}
}

static void plan_identity(struct planner *p, const struct peer *peer)
{
	const struct net_address *node = &p->settings->nodes[peer->node];
	struct kernel_route *row;

	if (node->family == 0) {
		return;
	}
	if (peer->best == NULL) {
		keep_route(p, node);
		return;
	}
	add_neighbour(p, node, peer->best->interface, &peer->best->their_mac);
	row = ROW(p, routes);
	if (row != NULL) {
		*row = (struct kernel_route){
			.destination = host(node),
			.interface = peer->best->interface,
			.source = host(&p->settings->nodes[p->own]),
		};
	}
}

/* -------------------------------------------------------- what is held here */

static bool is_service_address(struct planner *p,
			       const struct interface_address *row)
{
	uint32_t i;

	for (i = 0; i < p->settings->num_addresses; i++) {
		if (net_address_same(&p->settings->addresses[i],
				     &row->address)) {
			return true;
		}
	}
	return row->protocol == ARPD_PROTOCOL;
}

static const struct plan_held *held_before(struct planner *p,
					   const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < p->before->num_held; i++) {
		if (net_address_same(&p->before->held[i].address, address)) {
			return &p->before->held[i];
		}
	}
	return NULL;
}

/* They hear us and we do not hear them. Do we hear anybody else? */
static bool is_deaf(struct planner *p, const struct path *path,
		    const struct interface *interface)
{
	if (path->hear || !path->heard) {
		return false;
	}
	again_at(p, p->now + PLAN_COUNT_MS);
	return interface->received_at < path->last_us / 1000 + PLAN_COUNT_MS ||
		p->now >= interface->received_at + PLAN_QUIET_MS;
}

/* Is the path, and so our port, fine? What was passed through comes back when
 * the path has proven itself; what was not need not wait for that. */
static bool is_fine(struct planner *p, const struct path *path,
		    const struct interface *interface, bool passed)
{
	/* Others get the time to be heard. */
	uint64_t known = path->last_us / 1000 + p->settings->detection_ms +
		PLAN_COUNT_MS;

	return path->state == PATH_UP ||
		(!passed && path->hear && path->heard) ||
		(path->heard && !path->hear &&
		 (p->now < known || !is_deaf(p, path, interface)));
}

/* Does anybody see this port of ours in its network? */
static bool port_is_good(struct planner *p, const struct interface *interface,
			 bool passed)
{
	const struct peer *const *list;
	uint32_t count, i, j;

	if (!interface->carrier) {
		return false;
	}
	list = peers_list(p->peers, &count);
	for (i = 0; i < count; i++) {
		const struct peer *peer = list[i];
		uint64_t settled = peer->changed + p->settings->detection_ms;

		for (j = 0; j < peer->num_paths; j++) {
			const struct path *path = peer->paths[j];

			if (path->interface == interface->index &&
			    is_fine(p, path, interface, passed)) {
				return true;
			}
		}
		/* It came just now, and was not heard everywhere yet. */
		if (peer->state == PEER_ALIVE && p->now < settled) {
			again_at(p, settled);
			return true;
		}
	}
	return false;
}

/* The next node of the ring that can be reached, from that one on. */
static const struct peer *next_helper(struct planner *p, uint32_t from)
{
	uint32_t n = p->settings->num_nodes;
	uint32_t i;

	for (i = 0; i < n; i++) {
		uint32_t node = (from + i) % n;
		const struct peer *peer = node != p->own ?
			peers_find(p->peers, node) : NULL;

		if (peer != NULL && peer->state == PEER_ALIVE &&
		    peer->best != NULL) {
			return peer;
		}
	}
	return NULL;
}

static bool passes(struct planner *p, uint32_t node,
		   const struct net_address *address)
{
	const struct peer *peer = peers_find(p->peers, node);

	return peer != NULL && peer->state == PEER_ALIVE &&
		peer->best != NULL &&
		says(peer, BEACON_PASSING, p->own, address) != NULL;
}

static const struct peer *choose_helper(struct planner *p,
					struct plan_held *held)
{
	const struct plan_held *old = held_before(p, &held->address);
	const struct peer *helper;
	uint32_t from = p->own + 1;

	held->asked = p->now;
	if (old != NULL && old->helper != NET_NOBODY) {
		bool tired = p->now >= old->asked + PLAN_PATIENCE_MS &&
			!passes(p, old->helper, &held->address);

		from = tired ? old->helper + 1 : old->helper;
		held->asked = tired ? p->now : old->asked;
	}
	helper = next_helper(p, from);
	if (helper == NULL) {
		held->helper = NET_NOBODY;
		return NULL;
	}
	if (old == NULL || helper->node != old->helper) {
		held->asked = p->now;
	}
	held->helper = helper->node;
	held->passed = passes(p, helper->node, &held->address);
	if (!held->passed) {
		again_at(p, held->asked + PLAN_PATIENCE_MS);
	}
	return helper;
}

/*
 * While both are on one network, in whatever way, only the helper answers.
 * Just after the carrier came back nobody can have been heard yet.
 */
static bool must_be_silent(struct planner *p, const struct plan_held *held,
			   const struct interface *interface,
			   const struct peer *helper)
{
	uint64_t settled = interface->carrier_since +
		p->settings->detection_ms;
	uint32_t i;

	if (!held->passed) {
		return false;
	}
	if (!interface->carrier) {
		return true;
	}
	if (p->now < settled) {
		again_at(p, settled);
		return true;
	}
	for (i = 0; i < helper->num_paths; i++) {
		const struct path *path = helper->paths[i];

		if (path->interface == interface->index &&
		    (path->hear || path->heard)) {
			return true;
		}
	}
	return false;
}

/* No gateway is ever asked for its MAC: any address does that is nobody's. */
static struct net_address gateway_of(struct planner *p, uint8_t family,
				     const struct peer *helper)
{
	struct net_address gateway = p->settings->nodes[helper->node];
	static const uint8_t link_local[16] = {
		0xfe, 0x80, 0, 0, 0, 0, 0, 0, 'S', 'M', 'B', 0, 0, 0, 0, 0
	};

	if (gateway.family == family) {
		return host(&gateway);
	}
	gateway = (struct net_address){ .family = family };
	if (family == AF_INET6) {
		memcpy(gateway.bytes, link_local, sizeof(link_local));
		gateway.bytes[15] = helper->node + 1;
	} else {
		gateway.bytes[0] = 169;
		gateway.bytes[1] = 254;
		gateway.bytes[2] = ARPD_PROTOCOL;
		gateway.bytes[3] = helper->node + 1;
	}
	return host(&gateway);
}

/* One table of replies per helper and family. */
static void add_table(struct planner *p, uint32_t table, uint32_t interface,
		      const struct net_address *gateway)
{
	struct kernel_plan *kernel = &p->plan->kernel;
	struct kernel_route *row;
	uint32_t i;

	for (i = 0; i < kernel->num_routes; i++) {
		if (kernel->routes[i].table == table &&
		    kernel->routes[i].gateway.family == gateway->family) {
			return;
		}
	}
	row = ROW(p, routes);
	if (row != NULL) {
		*row = (struct kernel_route){
			.destination = { .family = gateway->family },
			.table = table,
			.interface = interface,
			.gateway = *gateway,
		};
	}
}

/* The kernel's own went with the carrier, and with it what the helper relays
 * (relay.h). */
static void add_broadcast(struct planner *p,
			  const struct net_address *address, uint32_t by)
{
	struct kernel_plan *kernel = &p->plan->kernel;
	struct net_address broadcast;
	struct kernel_route *row;
	uint32_t i;

	if (address->family != AF_INET || address->prefix >= 31) {
		return;
	}
	broadcast = net_address_broadcast(address);
	for (i = 0; i < kernel->num_routes; i++) {
		if (kernel->routes[i].table == ARPD_BROADCAST &&
		    net_address_same(&kernel->routes[i].destination,
				     &broadcast)) {
			return;
		}
	}
	row = ROW(p, routes);
	if (row != NULL) {
		*row = (struct kernel_route){
			.destination = broadcast,
			.table = ARPD_BROADCAST,
			.interface = by,
		};
	}
}

static void reply_through(struct planner *p, const struct plan_held *held,
			  const struct interface *interface,
			  const struct peer *helper)
{
	struct net_address gateway = gateway_of(p, held->address.family,
						helper);
	uint32_t by = helper->best->interface;
	uint32_t table = ARPD_TABLE + helper->node;

	add_neighbour(p, &gateway, by, &helper->best->their_mac);
	if (!interface->carrier) {
		add_broadcast(p, &held->address, by);
	}
	/* While we are silent the kernel can send only to clients that it knows
	 * already, and the helper, after a split, only to those on its side. */
	if (!interface->carrier) {
		struct kernel_rule *rule = ROW(p, rules);

		if (rule != NULL) {
			*rule = (struct kernel_rule){
				.from = host(&held->address),
				.table = table,
			};
			add_table(p, table, by, &gateway);
		}
	} else if (held->passed) {
		struct kernel_double *both = ROW(p, doubles);

		if (both != NULL) {
			*both = (struct kernel_double){
				.address = host(&held->address),
				.interface = interface->index,
				.gateway = gateway,
				.other = by,
			};
		}
	}
}

static bool is_whole(struct planner *p, const struct interface *interface)
{
	const struct peer *const *list;
	uint32_t count, i;

	list = peers_list(p->peers, &count);
	for (i = 0; i < count; i++) {
		const struct path *path = peer_path_on(list[i],
						       interface->index);

		if (path != NULL && path->state == PATH_UP) {
			return true;
		}
	}
	return false;
}

static void plan_held_address(struct planner *p,
			      const struct interface *interface,
			      const struct net_address *address)
{
	const struct peer *helper = NULL;
	const struct plan_held *old;
	struct plan_held *held;

	if (p->plan->num_held == PLAN_ADDRESSES_MAX) {
		return;
	}
	held = &p->plan->held[p->plan->num_held++];
	*held = (struct plan_held){
		.address = *address,
		.interface = interface->index,
		.carrier = interface->carrier,
		.whole = is_whole(p, interface),
		.helper = NET_NOBODY,
	};
	old = held_before(p, address);
	if (!port_is_good(p, interface, old != NULL && old->passed)) {
		helper = choose_helper(p, held);
		held->asks = helper != NULL;
	} else if (old != NULL && old->passed &&
		   passes(p, old->helper, address)) {
		/* It answers until it has heard that it need not. */
		helper = peers_find(p->peers, old->helper);
		held->helper = old->helper;
		held->passed = true;
	}
	if (helper == NULL) {
		return;
	}
	held->silent = must_be_silent(p, held, interface, helper);
	if (held->silent) {
		struct kernel_silence *row = ROW(p, silences);

		if (row != NULL) {
			*row = (struct kernel_silence){
				.address = host(address),
				.interface = interface->index,
			};
		}
	}
	reply_through(p, held, interface, helper);
}

/* ---------------------------------------- what is passed through for others */

static bool is_held(struct planner *p, const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < p->plan->num_held; i++) {
		if (net_address_same(&p->plan->held[i].address, address)) {
			return true;
		}
	}
	return interfaces_is_local(p->interfaces, address);
}

/* Is it the holder's port that is broken, and not ours? */
static bool may_begin(struct planner *p, const struct path *path,
		      const struct interface *outside)
{
	uint64_t settled = outside->carrier_since +
		p->settings->detection_ms;

	if (p->now < settled) {
		again_at(p, settled);
		return false;
	}
	return path == NULL || !path->hear || !path->heard;
}

static bool may_pass(struct planner *p, const struct peer *holder,
		     const struct interface *outside, bool begin)
{
	const struct path *path = peer_path_on(holder, outside->index);

	return (path == NULL || !is_deaf(p, path, outside)) &&
		(!begin || may_begin(p, path, outside));
}

static const struct plan_passing *passing_before(
	struct planner *p, const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < p->before->num_passing; i++) {
		if (net_address_same(&p->before->passing[i].address,
				     address)) {
			return &p->before->passing[i];
		}
	}
	return NULL;
}

static void pass(struct planner *p, const struct peer *holder,
		 const struct net_address *address, bool cut, uint64_t until)
{
	const struct plan_passing *old = passing_before(p, address);
	const struct interface *outside;
	struct kernel_forward *forward;
	struct kernel_proxy *proxy;
	struct kernel_route *route;
	struct plan_passing *row;
	uint8_t prefix;

	outside = interfaces_for_address(p->interfaces, address, &prefix);
	if (outside == NULL || !outside->carrier || is_held(p, address) ||
	    holder->best == NULL ||
	    holder->best->interface == outside->index ||
	    p->plan->num_passing == PLAN_ADDRESSES_MAX) {
		return;
	}
	if (until == 0 && !cut &&
	    !may_pass(p, holder, outside, old == NULL || old->until != 0)) {
		return;
	}
	row = &p->plan->passing[p->plan->num_passing++];
	*row = (struct plan_passing){
		.address = host(address),
		.node = holder->node,
		.interface = outside->index,
		.inside = holder->best->interface,
		.until = until,
	};
	add_neighbour(p, address, row->inside, &holder->best->their_mac);
	route = ROW(p, routes);
	if (route != NULL) {
		*route = (struct kernel_route){
			.destination = row->address,
			.interface = row->inside,
		};
	}
	forward = ROW(p, forwards);
	if (forward != NULL) {
		*forward = (struct kernel_forward){
			.address = row->address,
			.outside = row->interface,
			.inside = row->inside,
		};
	}
	if (until != 0) {
		again_at(p, until);
		return;
	}
	proxy = ROW(p, proxies);
	if (proxy != NULL) {
		*proxy = (struct kernel_proxy){
			.address = row->address,
			.interface = row->interface,
		};
	}
}

static bool is_passed(struct planner *p, const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < p->plan->num_passing; i++) {
		if (net_address_same(&p->plan->passing[i].address, address)) {
			return true;
		}
	}
	return false;
}

static void plan_wishes(struct planner *p, const struct peer *holder)
{
	uint32_t i;

	for (i = 0; i < holder->num_addresses; i++) {
		const struct peer_address *row = &holder->addresses[i];

		if (peer_holds(row) && row->node == p->own &&
		    !is_passed(p, &row->address)) {
			pass(p, holder, &row->address,
			     row->state == BEACON_HELD_CUT, 0);
		}
	}
}

/* Clients that have not heard yet that the holder answers itself. */
static void plan_lingering(struct planner *p)
{
	uint32_t i;

	for (i = 0; i < p->before->num_passing; i++) {
		const struct plan_passing *old = &p->before->passing[i];
		uint64_t until = old->until != 0 ? old->until :
			p->now + PLAN_LINGER_MS;
		const struct peer *holder = peers_find(p->peers, old->node);

		if (holder != NULL && holder->state == PEER_ALIVE &&
		    p->now < until && !is_passed(p, &old->address)) {
			pass(p, holder, &old->address, false, until);
		}
	}
}

void plan_make(const struct settings *settings,
	       uint32_t own,
	       const struct interfaces *interfaces,
	       const struct peers *peers,
	       const struct plan *before,
	       uint64_t now_ms,
	       struct plan *plan)
{
	struct planner p = {
		.settings = settings,
		.own = own,
		.interfaces = interfaces,
		.peers = peers,
		.before = before,
		.now = now_ms,
		.plan = plan,
	};
	const struct interface *rows;
	const struct peer *const *list;
	uint32_t count, i, j;

	*plan = (struct plan){ .next = 0 };
	list = peers_list(peers, &count);
	for (i = 0; i < count; i++) {
		plan_identity(&p, list[i]);
	}
	rows = interfaces_list(interfaces, &count);
	for (i = 0; i < count; i++) {
		for (j = 0; !rows[i].interconnect &&
		     j < rows[i].num_addresses; j++) {
			if (is_service_address(&p, &rows[i].addresses[j])) {
				plan_held_address(
					&p, &rows[i],
					&rows[i].addresses[j].address);
			}
		}
	}
	list = peers_list(peers, &count);
	for (i = 0; i < count; i++) {
		if (list[i]->state == PEER_ALIVE) {
			plan_wishes(&p, list[i]);
		}
	}
	plan_lingering(&p);
}
