/* The development broker (--dev without KAFKA_BROKERS): librdkafka's mock cluster inside this process. It speaks
 * the real protocol on loopback, at a port that can't be chosen, keeps at most 5 MiB a partition and forgets all
 * when ingest ends. Lives until the process ends. */
#ifndef MOONX_INGEST_DEV_BROKER_H
#define MOONX_INGEST_DEV_BROKER_H

#include "ingest/route_table.h"

#include <librdkafka/rdkafka.h>

struct dev_broker {
    int file;             /* DIRECTORY/bootstrap, open for writing */
    rd_kafka_t *producer; /* hosts the cluster, and is a producer to it */
    const char *bootstrap;
};

/* Opens DIRECTORY/bootstrap, where the address will stand; the directory is made if it is missing. While the
 * process is still root. -EINVAL with one line in `error`. */
int dev_broker_open_file(struct dev_broker *broker, const char *directory, char *error,
                         size_t error_size) MUST_CHECK;

/* With a topic for each route; the file gets the address and a newline. Only after privileges have been given up:
 * setuid() signals every thread, and the mock cluster's ends at an interrupted poll(). -EINVAL with one line in
 * `error`. */
int dev_broker_start(struct dev_broker *broker, const struct route_table *routes, char *error,
                     size_t error_size) MUST_CHECK;

#endif
