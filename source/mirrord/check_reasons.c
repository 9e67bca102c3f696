/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reasons, see check_reasons.h. */

#include "check_reasons.h"

#define ROW(symbol, name, how, what) { name, CHECK_##how, what },
static const struct {
	const char *id;
	enum check_severity severity;
	const char *action;
} reasons[] = {
	CHECK_REASON_TABLE(ROW)
};

const char *check_reason_id(enum check_reason reason)
{
	return reasons[reason].id;
}

enum check_severity check_reason_severity(enum check_reason reason)
{
	return reasons[reason].severity;
}

const char *check_severity_name(enum check_severity severity)
{
	static const char *const names[] = {
		[CHECK_FAILS] = "fails",
		[CHECK_LOSES] = "loses data",
		[CHECK_SLOW] = "slow",
		[CHECK_NOTE] = "note",
	};

	return names[severity];
}

const char *check_reason_action(enum check_reason reason)
{
	return reasons[reason].action;
}
