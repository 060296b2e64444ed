/* Keys and certificates that KAFKA_CONFIG_FILE names. librdkafka reads such files whenever a client is made; a producer
 * that has failed for good is made anew when ingest has long given up the rights to read them. So they are read once, at
 * the start, and kept in librdkafka's configuration. Ingest's main thread. */
#ifndef MOONX_INGEST_KAFKA_KEYS_H
#define MOONX_INGEST_KAFKA_KEYS_H

#include "common/base.h"

#include <librdkafka/rdkafka.h>

#define KAFKA_KEYS_MAX_BYTES (1u << 20)

/* 1: `name` was one of a private key, a certificate or certificates of authorities in a file, and that is set from the
 * file's bytes. 0: it is something else, or left to librdkafka: a folder of authorities, and a client's certificate with
 * others behind it, of which librdkafka before 2.7 sends none when it has them from memory. -errno with what is wrong,
 * without a secret, in `error`. */
int kafka_keys_set(rd_kafka_conf_t *conf, const char *name, const char *path, char *error,
                   size_t error_size) MUST_CHECK;

#endif
