/* The consumer's librdkafka configuration: what the gateway relies on, the options, and on top of them the
 * operator's own properties (KAFKA_CONFIG_FILE: TLS, SASL, tuning). Ingest only, once at start.
 *
 * KAFKA_CONFIG_FILE: one `name=value` a line; blanks around both are cut off; empty lines and lines that
 * start with `#` are left out. A value may contain anything else (passwords do), so `#` and `=` inside it
 * mean nothing. Values are never logged nor repeated in an error. */
#ifndef MOONX_INGEST_KAFKA_CONFIG_H
#define MOONX_INGEST_KAFKA_CONFIG_H

#include "common/option.h"

#include <librdkafka/rdkafka.h>

/* `brokers` instead of KAFKA_BROKERS; with_file false leaves KAFKA_CONFIG_FILE out (the built-in broker
 * speaks neither TLS nor SASL). -EINVAL with one line in `error`. The caller owns *out until rd_kafka_new()
 * takes it. */
int kafka_config_new(const struct options *options, const char *brokers, bool with_file,
                     rd_kafka_conf_t **out, char *error, size_t error_size) MUST_CHECK;

/* The producer's: the same brokers and file, and what its promises rest on (idempotence, acks=all, a deadline), which the
 * file can't change. */
int kafka_config_producer(const struct options *options, const char *brokers, bool with_file,
                          rd_kafka_conf_t **out, char *error, size_t error_size) MUST_CHECK;

/* For --check-config: makes a client of it, which reads certificates and keys, and throws it away. */
int kafka_config_check(const struct options *options, char *error, size_t error_size) MUST_CHECK;

#endif
