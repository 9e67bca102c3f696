/* SPDX-License-Identifier: GPL-3.0-or-later */
/* See timer.h. */

#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "timer.h"

struct timer {
	int fd;
	struct tevent_fd *fde;
	timer_handler handler;
	void *private_data;
};

static int timer_destructor(struct timer *timer)
{
	TALLOC_FREE(timer->fde);
	close(timer->fd);
	return 0;
}

static void timer_fired(struct tevent_context *ev,
			struct tevent_fd *fde,
			uint16_t flags,
			void *private_data)
{
	struct timer *timer = private_data;
	timer_handler handler = timer->handler;
	void *data = timer->private_data;

	talloc_free(timer);
	handler(data);
}

struct timer *timer_start(TALLOC_CTX *mem_ctx,
			  struct tevent_context *ev,
			  uint64_t ms,
			  timer_handler handler,
			  void *private_data)
{
	/* All zero would mean: never. */
	const struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(ms / 1000),
			      .tv_nsec = (long)(ms % 1000) * 1000000 + 1 },
	};
	struct timer *timer = talloc_zero(mem_ctx, struct timer);

	if (timer == NULL) {
		return NULL;
	}
	timer->handler = handler;
	timer->private_data = private_data;
	timer->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->fd == -1) {
		talloc_free(timer);
		return NULL;
	}
	talloc_set_destructor(timer, timer_destructor);
	timer->fde = tevent_add_fd(ev, timer, timer->fd, TEVENT_FD_READ,
				   timer_fired, timer);
	if (timer->fde == NULL ||
	    timerfd_settime(timer->fd, 0, &when, NULL) == -1) {
		talloc_free(timer);
		return NULL;
	}
	return timer;
}
