/* The consumer's librdkafka handle and what librdkafka says about it: errors, log lines, answers to commits. All
 * of them are served by the main thread's polls (log.queue), so nothing here is shared between threads. Ingest
 * has one; it is never destroyed: rd_kafka_destroy() can hang, and the process's end closes all. */
#ifndef MOONX_INGEST_KAFKA_CLIENT_H
#define MOONX_INGEST_KAFKA_CLIENT_H

#include "ingest/kafka_commit.h"
#include "ingest/kafka_status.h"
#include "ingest/kafka_watch.h"

struct kafka_client {
    rd_kafka_t *handle;
    struct kafka_status *status;
    struct kafka_commit *commit;
    struct kafka_watch *watch; /* NULL until it has been started */
    struct stats *stats;
    char reason[256]; /* of the last failed connection */
};

/* Takes conf over. -EINVAL with one line in `error`. *client must not move afterwards; the caller sets status,
 * commit and stats before, and watch when it has it. */
int kafka_client_open(struct kafka_client *client, rd_kafka_conf_t *conf, char *error,
                      size_t error_size) MUST_CHECK;

#endif
