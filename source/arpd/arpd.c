/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of arpd together, see arpd.h. */

#include <sys/random.h>
#include <errno.h>
#include <string.h>
#include "../common/event_log.h"
#include "../common/timer.h"
#include "addresses.h"
#include "arpd.h"
#include "clock.h"
#include "connections.h"
#include "control.h"
#include "ports.h"
#include "probe.h"

#define RETRY_MS 1000
#define PAUSE_US 50000
#define START_PATIENCE_MS 3000
#define DEATH_RETRY_MS 1000

/* ---------------------------------------------------------------- in words */

static const char *interface_name(const struct arpd *arpd, uint32_t index)
{
	const struct interface *row = interfaces_by_index(arpd->interfaces,
							  index);

	return row != NULL ? row->name : "?";
}

static const struct plan_held *find_held(const struct plan *plan,
					 const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < plan->num_held; i++) {
		if (net_address_same(&plan->held[i].address, address)) {
			return &plan->held[i];
		}
	}
	return NULL;
}

static const struct plan_passing *find_passing(
	const struct plan *plan, const struct net_address *address)
{
	uint32_t i;

	for (i = 0; i < plan->num_passing; i++) {
		if (net_address_same(&plan->passing[i].address, address)) {
			return &plan->passing[i];
		}
	}
	return NULL;
}

/* ------------------------------------------------------------------ beacons */

static void fill_addresses(const struct arpd *arpd, struct beacon *beacon)
{
	const struct plan *plan = arpd->plan;
	struct beacon_address *row = beacon->addresses;
	uint32_t i;

	for (i = 0; i < plan->num_held &&
	     beacon->num_addresses < BEACON_ADDRESSES_MAX; i++) {
		row[beacon->num_addresses++] = (struct beacon_address){
			.state = plan->held[i].carrier ? BEACON_HELD :
				BEACON_HELD_CUT,
			.node = plan->held[i].asks ?
				plan->held[i].helper : NET_NOBODY,
			.address = plan->held[i].address,
		};
	}
	/* What the kernel did not take is not said. */
	for (i = 0; arpd->applied && i < plan->num_passing &&
	     beacon->num_addresses < BEACON_ADDRESSES_MAX; i++) {
		if (plan->passing[i].until != 0) {
			continue;
		}
		row[beacon->num_addresses++] = (struct beacon_address){
			.state = BEACON_PASSING,
			.node = plan->passing[i].node,
			.address = plan->passing[i].address,
		};
	}
}

void arpd_send_beacons(struct arpd *arpd, uint8_t flags)
{
	const struct interface *rows;
	uint8_t frame[BEACON_FRAME_MAX];
	uint32_t count, i;

	if (!arpd->planned) {
		flags |= BEACON_STARTING;
	}
	rows = interfaces_list(arpd->interfaces, &count);
	for (i = 0; i < count; i++) {
		struct beacon beacon = {
			.flags = flags,
			.interface = rows[i].index,
			.mac = rows[i].mac,
		};

		if (rows[i].index == 0 || !rows[i].carrier) {
			continue;
		}
		peers_fill(arpd->peers, rows[i].index, &beacon, clock_us());
		fill_addresses(arpd, &beacon);
		ports_send(arpd->ports, rows[i].index, frame,
			   beacon_push(arpd->key, &beacon, frame));
	}
}

static void beacon_time(void *private_data)
{
	struct arpd *arpd = private_data;

	arpd_send_beacons(arpd, 0);
	interfaces_count(arpd->interfaces);
	probe_ask(arpd);
	arpd->beacon_timer = timer_start(arpd, arpd->ev,
					 arpd->settings->beacon_ms,
					 beacon_time, arpd);
}

/* The loop never waits for longer than a beacon's interval. When it did, this
 * process stood still, and cannot know who was silent meanwhile. */
static void after_wait(enum tevent_trace_point point, void *private_data)
{
	struct arpd *arpd = private_data;
	uint64_t interval = (uint64_t)arpd->settings->beacon_ms * 1000;
	uint64_t now = clock_us();

	if (point != TEVENT_TRACE_AFTER_WAIT) {
		return;
	}
	if (arpd->last_wait != 0 &&
	    now - arpd->last_wait > interval + PAUSE_US) {
		peers_paused(arpd->peers, now - arpd->last_wait - interval);
	}
	arpd->last_wait = now;
}

static void peers_time(void *private_data)
{
	struct arpd *arpd = private_data;
	uint64_t now, next, ms;

	/* What has come in was not missed. */
	ports_read(arpd->ports);
	now = clock_us();
	next = peers_tick(arpd->peers, now);
	ms = next > now ? (next - now) / 1000 + 1 : 1;
	/* Beacons that come in move it: not later than one interval. */
	if (ms > arpd->settings->beacon_ms) {
		ms = arpd->settings->beacon_ms;
	}
	arpd->peers_timer = timer_start(arpd, arpd->ev, ms, peers_time, arpd);
}

/* ---------------------------------------------------- a plan comes in force */

/* A switch that heals, or whose ports change, tells nobody. */
static uint32_t refresh_of(const struct plan_held *held)
{
	return held->whole ? ANNOUNCE_REFRESH_MS :
		held->helper != NET_NOBODY ? ANNOUNCE_TROUBLE_MS :
		ANNOUNCE_ALONE_MS;
}

static void tell_held(struct arpd *arpd, const struct plan *old,
		      const struct plan_held *held)
{
	const struct plan_held *was = find_held(old, &held->address);
	const struct interface *interface = interfaces_by_index(
		arpd->interfaces, held->interface);
	char *text = net_address_print(arpd, &held->address);
	bool wish = held->helper != NET_NOBODY;
	bool wished = was != NULL && was->helper != NET_NOBODY;

	if (held->silent) {
		announce_stop(arpd->announce, &held->address,
			      held->interface);
	} else if (interface != NULL && held->carrier &&
		   (was == NULL || was->silent || !was->carrier ||
		    (wished && !wish))) {
		announce_start(arpd->announce, &held->address,
			       held->interface, &interface->mac,
			       refresh_of(held));
	} else if (interface != NULL && held->carrier &&
		   refresh_of(was) != refresh_of(held)) {
		/* Whoever passes it now may be about to say so. */
		announce_later(arpd->announce, &held->address,
			       held->interface, &interface->mac,
			       refresh_of(held));
	}
	if (wish && (!wished || (held->passed && !was->passed))) {
		event_log(held->passed ? EVENT_PASSED : EVENT_PASS_ASKED,
			  "%s on %s: %s; node %u %s", text,
			  interface_name(arpd, held->interface),
			  interface != NULL && interface->carrier ?
			  "no other node hears this port" : "no carrier",
			  held->helper, held->passed ? "passes it through" :
			  "is asked to pass it through");
	} else if (wished && !wish) {
		event_log(EVENT_PASS_OVER, "%s on %s", text,
			  interface_name(arpd, held->interface));
	}
	talloc_free(text);
}

static void tell_passing(struct arpd *arpd, const struct plan *old,
			 const struct plan_passing *passing)
{
	const struct plan_passing *was = find_passing(old,
						      &passing->address);
	const struct interface *interface = interfaces_by_index(
		arpd->interfaces, passing->interface);
	char *text;

	if (passing->until != 0 || interface == NULL) {
		announce_stop(arpd->announce, &passing->address, 0);
		return;
	}
	if (was != NULL && was->until == 0 &&
	    was->interface == passing->interface) {
		return;
	}
	announce_start(arpd->announce, &passing->address, passing->interface,
		       &interface->mac, ANNOUNCE_TROUBLE_MS);
	text = net_address_print(arpd, &passing->address);
	event_log(EVENT_PASSING, "%s of node %u, from %s through %s", text,
		  passing->node, interface->name,
		  interface_name(arpd, passing->inside));
	talloc_free(text);
}

static void tell_gone(struct arpd *arpd, const struct plan *old)
{
	uint32_t i;

	for (i = 0; i < old->num_held; i++) {
		const struct net_address *address = &old->held[i].address;

		if (find_held(arpd->plan, address) == NULL &&
		    find_passing(arpd->plan, address) == NULL) {
			announce_stop(arpd->announce, address, 0);
		}
	}
	for (i = 0; i < old->num_passing; i++) {
		const struct net_address *address = &old->passing[i].address;
		char *text;

		if (find_passing(arpd->plan, address) != NULL) {
			continue;
		}
		if (find_held(arpd->plan, address) == NULL) {
			announce_stop(arpd->announce, address, 0);
		}
		text = net_address_print(arpd, address);
		event_log(EVENT_PASSING_OVER, "%s of node %u", text,
			  old->passing[i].node);
		talloc_free(text);
	}
}

/* Is there news for the other nodes, which should not wait for a beacon? */
static bool is_news(const struct plan *old, const struct plan *new)
{
	uint32_t i;

	if (old->num_held != new->num_held ||
	    old->num_passing != new->num_passing) {
		return true;
	}
	for (i = 0; i < new->num_held; i++) {
		const struct plan_held *was = find_held(
			old, &new->held[i].address);

		if (was == NULL || was->helper != new->held[i].helper ||
		    was->asks != new->held[i].asks ||
		    was->carrier != new->held[i].carrier) {
			return true;
		}
	}
	for (i = 0; i < new->num_passing; i++) {
		const struct plan_passing *was = find_passing(
			old, &new->passing[i].address);

		if (was == NULL || was->until != new->passing[i].until) {
			return true;
		}
	}
	return false;
}

static void plan_time(void *private_data)
{
	struct arpd *arpd = private_data;

	arpd->plan_timer = NULL;
	arpd_note(arpd);
}

static void plan_at(struct arpd *arpd, uint64_t when, uint64_t now)
{
	TALLOC_FREE(arpd->plan_timer);
	if (when != 0) {
		arpd->plan_timer = timer_start(arpd, arpd->ev,
					       when > now ? when - now : 0,
					       plan_time, arpd);
	}
}

static void tell(struct arpd *arpd, const struct plan *old)
{
	uint32_t i;

	for (i = 0; i < arpd->plan->num_held; i++) {
		tell_held(arpd, old, &arpd->plan->held[i]);
	}
	for (i = 0; i < arpd->plan->num_passing; i++) {
		tell_passing(arpd, old, &arpd->plan->passing[i]);
	}
	tell_gone(arpd, old);
}

/* Is there a node that has not told yet what it wants? */
static bool somebody_is_missing(const struct arpd *arpd)
{
	const struct peer *const *list;
	uint32_t count, i;

	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		if (list[i]->state != PEER_ALIVE || list[i]->starting) {
			return true;
		}
	}
	return false;
}

/* When paths had time to be heard. */
static uint64_t settled_at(const struct arpd *arpd)
{
	return arpd->started + arpd->settings->detection_ms +
		2 * arpd->settings->beacon_ms;
}

/*
 * A node may be passed through by what an earlier arpd left in our kernel, and
 * its own arpd may have died, too. Until it tells what it wants, or some time
 * is over, we tell what we hold, and leave the kernel alone.
 */
static bool must_wait(struct arpd *arpd, uint64_t now)
{
	if (arpd->began || !somebody_is_missing(arpd) ||
	    now >= settled_at(arpd) + START_PATIENCE_MS) {
		arpd->began = true;
		return false;
	}
	arpd_send_beacons(arpd, 0);
	plan_at(arpd, now + arpd->settings->beacon_ms, now);
	return true;
}

static void make_plan(struct arpd *arpd)
{
	uint64_t now = clock_ms();
	struct plan *old = arpd->plan;
	bool first = !arpd->began;
	struct plan *new;
	int ret;

	if (now < settled_at(arpd)) {
		plan_at(arpd, settled_at(arpd), now);
		return;
	}
	new = talloc_zero(arpd, struct plan);
	if (new == NULL) {
		plan_at(arpd, now + RETRY_MS, now);
		return;
	}
	plan_make(arpd->settings, arpd->own, arpd->interfaces, arpd->peers,
		  old, now, new);
	arpd->plan = new;
	arpd->planned = true;
	if (must_wait(arpd, now)) {
		talloc_free(old);
		return;
	}
	ret = privileged_apply(arpd->privileged, &new->kernel);
	arpd->applied = ret == 0;
	plan_at(arpd, ret == 0 ? new->next : now + RETRY_MS, now);
	if (ret != 0) {
		event_log_once(EVENT_PLAN_FAILED, "apply", "%s",
			       strerror(ret));
	}
	if (first) {
		/* What was planned while we waited was told to nobody. */
		old->num_held = old->num_passing = 0;
	}
	tell(arpd, old);
	ports_sync(arpd->ports);
	if (is_news(old, new)) {
		arpd_send_beacons(arpd, 0);
	}
	talloc_free(old);
}

/* ----------------------------------------------------------- what was noted */

static void look(struct tevent_context *ev, struct tevent_immediate *im,
		 void *private_data)
{
	struct arpd *arpd = private_data;

	arpd->noted = false;
	if (arpd->links_changed) {
		const struct interface *rows;
		uint32_t count, i;

		arpd->links_changed = false;
		rows = interfaces_list(arpd->interfaces, &count);
		for (i = 0; i < count; i++) {
			peers_link(arpd->peers, &rows[i], clock_us());
		}
		ports_sync(arpd->ports);
		arpd->paths_changed = true;
	}
	make_plan(arpd);
	if (arpd->paths_changed) {
		arpd->paths_changed = false;
		arpd_send_beacons(arpd, 0);
	}
}

void arpd_note(struct arpd *arpd)
{
	if (!arpd->noted) {
		arpd->noted = true;
		tevent_schedule_immediate(arpd->look, arpd->ev, look, arpd);
	}
}

static void on_interfaces(void *private_data,
			  const struct interface *interface,
			  enum interfaces_change change)
{
	struct arpd *arpd = private_data;

	arpd->links_changed = arpd->links_changed ||
		change == INTERFACES_LINK;
	arpd_note(arpd);
}

static bool have_carrier(const struct arpd *arpd)
{
	const struct interface *rows;
	uint32_t count, i;

	rows = interfaces_list(arpd->interfaces, &count);
	for (i = 0; i < count; i++) {
		if (rows[i].carrier) {
			return true;
		}
	}
	return false;
}

static void on_silence(struct arpd *arpd, const struct peer *peer);

/* The program is busy with an earlier silence of some node. */
static void tell_death_again(void *private_data)
{
	struct arpd *arpd = private_data;
	const struct peer *const *list;
	uint32_t count, i;

	arpd->death_timer = NULL;
	list = peers_list(arpd->peers, &count);
	for (i = 0; i < count; i++) {
		if (list[i]->state == PEER_SILENT) {
			on_silence(arpd, list[i]);
		}
	}
}

/*
 * mirror-ctdb-death makes sure that the node is dead before it cuts ctdb's
 * connections: ctdb would leave out one that only stood still. Without that
 * program they are cut here; ctdb connects again to who lives.
 */
static void on_silence(struct arpd *arpd, const struct peer *peer)
{
	int ret;

	if (!have_carrier(arpd)) {
		event_log(EVENT_CUT_OFF, "no interface has carrier");
		return;
	}
	if (!arpd->settings->death) {
		return;
	}
	ret = privileged_death(arpd->privileged, peer->node);
	if (ret == EALREADY) {
		if (arpd->death_timer == NULL) {
			arpd->death_timer = timer_start(arpd, arpd->ev,
							DEATH_RETRY_MS,
							tell_death_again,
							arpd);
		}
		return;
	}
	if (ret != 0) {
		event_log(EVENT_DEATH_UNTOLD, "node %u: %s", peer->node,
			  strerror(ret));
		privileged_disconnect(arpd->privileged, peer->node);
	}
}

static void on_peers(void *private_data, const struct peer *peer,
		     enum peers_change change)
{
	struct arpd *arpd = private_data;

	if (change == PEERS_STATE && peer->state == PEER_SILENT) {
		on_silence(arpd, peer);
	}
	/* Whom we do not hear learns of it only from us. */
	arpd->paths_changed = arpd->paths_changed || change == PEERS_PATH;
	arpd_note(arpd);
}

/* ------------------------------------------------------------ begin and end */

void arpd_announce(struct arpd *arpd, const struct net_address *address,
		   const struct interface *interface)
{
	const struct plan_held *held = find_held(arpd->plan, address);

	announce_start(arpd->announce, address, interface->index,
		       &interface->mac,
		       held != NULL ? refresh_of(held) : ANNOUNCE_REFRESH_MS);
}

void arpd_say_good_bye(struct arpd *arpd)
{
	TALLOC_FREE(arpd->beacon_timer);
	arpd_send_beacons(arpd, BEACON_BYE);
}

static void send_frame(void *private_data, uint32_t interface,
		       const uint8_t *frame, size_t length)
{
	struct arpd *arpd = private_data;

	ports_send(arpd->ports, interface, frame, length);
}

static bool find_own(struct arpd *arpd, char **problem, TALLOC_CTX *mem_ctx)
{
	const struct settings *settings = arpd->settings;

	for (arpd->own = 0; arpd->own < settings->num_nodes; arpd->own++) {
		if (settings->nodes[arpd->own].family != 0 &&
		    interfaces_is_local(arpd->interfaces,
					&settings->nodes[arpd->own])) {
			return true;
		}
	}
	*problem = talloc_asprintf(
		mem_ctx, "no address of %s/nodes is on this machine: give it "
		"its own (ip address add ADDRESS/32 dev lo) when the system "
		"starts", settings->base);
	return false;
}

static int make_parts(struct arpd *arpd, char **problem, TALLOC_CTX *mem_ctx)
{
	int ret = interfaces_new(arpd, arpd->ev, arpd->settings,
				 on_interfaces, arpd, &arpd->interfaces);

	if (ret == 0 && !find_own(arpd, problem, mem_ctx)) {
		return EADDRNOTAVAIL;
	}
	if (ret == 0) {
		ret = beacon_key_load(arpd, arpd->settings->key_file,
				      &arpd->key, problem);
	}
	if (ret == 0) {
		ret = peers_new(arpd, arpd->settings, arpd->own,
				arpd->session, on_peers, arpd, &arpd->peers);
	}
	if (ret == 0) {
		ret = announce_new(arpd, arpd->ev, send_frame, arpd,
				   &arpd->announce);
	}
	if (ret == 0) {
		ret = addresses_new(arpd, &arpd->addresses);
	}
	if (ret == 0) {
		ret = ports_new(arpd, &arpd->ports);
	}
	if (ret == 0) {
		ret = probe_new(arpd, &arpd->probe);
	}
	if (ret == 0) {
		ret = connections_new(arpd, &arpd->connections);
	}
	if (ret == 0) {
		ret = control_new(arpd, &arpd->control, problem);
	}
	return ret;
}

struct arpd *arpd_new(TALLOC_CTX *mem_ctx, struct tevent_context *ev,
		      const struct settings *settings,
		      struct privileged *privileged, char **problem)
{
	struct arpd *arpd = talloc_zero(mem_ctx, struct arpd);
	int ret;

	*problem = NULL;
	if (arpd == NULL) {
		return NULL;
	}
	arpd->ev = ev;
	arpd->settings = settings;
	arpd->privileged = privileged;
	arpd->started = clock_ms();
	arpd->plan = talloc_zero(arpd, struct plan);
	arpd->look = tevent_create_immediate(arpd);
	if (arpd->plan == NULL || arpd->look == NULL ||
	    getrandom(&arpd->session, sizeof(arpd->session), 0) !=
	    (ssize_t)sizeof(arpd->session)) {
		return NULL;
	}
	arpd->session |= 1;	/* never 0 */
	ret = make_parts(arpd, problem, mem_ctx);
	if (ret != 0) {
		if (*problem == NULL) {
			*problem = talloc_strdup(mem_ctx, strerror(ret));
		}
		return NULL;
	}
	tevent_set_trace_callback(ev, after_wait, arpd);
	arpd->links_changed = true;
	arpd_note(arpd);
	beacon_time(arpd);
	peers_time(arpd);
	return arpd;
}
