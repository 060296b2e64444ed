/* The demo stream of --dev: some 40 events a second of a made-up market, over the real protocol by a real
 * producer, so that everything behind Kafka is what it is in production. Prices of twenty tokens on several
 * chains are random walks; orders, portfolio and notifications belong to the user `demo`. Main thread only. */
#ifndef MOONX_INGEST_DEV_STREAM_H
#define MOONX_INGEST_DEV_STREAM_H

#include "common/option.h"

#include <librdkafka/rdkafka.h>

struct dev_stream;

/* producer stays the caller's. */
int dev_stream_new(const struct options *options, rd_kafka_t *producer,
                   struct dev_stream **out) MUST_CHECK;

/* Produces what is due; returns the milliseconds until something is due again. */
int dev_stream_tick(struct dev_stream *stream, uint64_t now_ms);

#endif
