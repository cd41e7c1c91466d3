#ifndef TASKFLOW_TEST_CONF_H
#define TASKFLOW_TEST_CONF_H

/* Settings that make faults show soon. The times to live leave room for a loop
 * that is late on a busy machine. */
#define SHORT_TIMES                 \
	"heartbeat_ttl = 3s\n"      \
	"heartbeat_interval = 1s\n" \
	"leader_ttl = 3s\n"         \
	"leader_renew = 1s\n"       \
	"reconcile_interval = 2s\n" \
	"retry_base = 50ms\n"       \
	"retry_max = 200ms\n"

#endif
