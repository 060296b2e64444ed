/* KAFKA_BROKERS as librdkafka takes it, checked first: what it can't use it skips with a log line, and then waits for
 * brokers for ever. Pure; used by moonx-ingest's --check-config. */
#ifndef MOONX_INGEST_KAFKA_BROKERS_H
#define MOONX_INGEST_KAFKA_BROKERS_H

#include "common/base.h"

/* [PROTOCOL://]HOST[:PORT], separated by commas; an IPv6 address in brackets. -EINVAL with one line in `error` that
 * names the option and the entry. */
int kafka_brokers_check(const char *brokers, char *error, size_t error_size) MUST_CHECK;

#endif
