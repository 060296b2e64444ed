/* The development broker (--dev without KAFKA_BROKERS): librdkafka's mock cluster inside this process. It speaks
 * the real protocol on loopback, at a port that can't be chosen, keeps at most 5 MiB a partition and forgets all
 * when ingest ends. Lives until the process ends. */
#ifndef MOONX_INGEST_DEV_BROKER_H
#define MOONX_INGEST_DEV_BROKER_H

#include "ingest/route_table.h"

#include <librdkafka/rdkafka.h>

struct dev_broker {
    rd_kafka_t *producer; /* hosts the cluster, and is a producer to it */
    const char *bootstrap;
};

/* With a topic for each route. -EINVAL with one line in `error`. */
int dev_broker_start(struct dev_broker *broker, const struct route_table *routes, char *error,
                     size_t error_size) MUST_CHECK;

/* DIRECTORY/bootstrap gets the address and a newline; the directory is made if it is missing. -EINVAL with one
 * line in `error`. */
int dev_broker_write_address(const struct dev_broker *broker, const char *directory, char *error,
                             size_t error_size) MUST_CHECK;

#endif
