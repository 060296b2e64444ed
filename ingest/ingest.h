/* The ingest process: everything it owns, in one struct, and its loop. One main thread does all the work;
 * beside it run librdkafka's own threads and the one that asks questions (kafka_watch.h). */
#ifndef MOONX_INGEST_INGEST_H
#define MOONX_INGEST_INGEST_H

#include "ingest/dead_letter.h"
#include "ingest/dev_broker.h"
#include "ingest/dev_stream.h"
#include "ingest/event_publish.h"
#include "ingest/history_refill.h"
#include "ingest/kafka_assign.h"
#include "ingest/kafka_client.h"
#include "ingest/kafka_commit.h"
#include "ingest/kafka_consume.h"
#include "ingest/kafka_produce.h"
#include "ingest/kafka_progress.h"
#include "ingest/kafka_recheck.h"
#include "ingest/kafka_status.h"
#include "ingest/pace.h"
#include "ingest/uplink_read.h"
#include "shm/host_view.h"

struct ingest {
    const struct options *options;
    bool own_broker; /* --dev without KAFKA_BROKERS */
    struct heritage heritage;
    struct host_view view;
    int lock_fd; /* the producer's lock on the segment */
    struct ring_append writer;
    struct snapshot_put snapshots;
    struct event_publish publish;
    struct route_table *routes;
    struct dev_broker broker;
    struct dev_stream *stream; /* NULL unless own_broker */
    struct kafka_client client;
    struct kafka_topics topics;
    struct kafka_watch *watch;
    struct kafka_status status;
    struct kafka_assign assign;
    struct kafka_recheck recheck;
    struct kafka_progress progress;
    struct history_refill refill;
    struct kafka_consume consume;
    struct kafka_commit commit;
    struct kafka_produce produce;
    struct uplink_read uplink;
    struct once once;
    struct dead_letter letters;
    struct pace pace;
    uint64_t ticked_ms;
};

/* Runs until told to stop and never returns: librdkafka can't be taken down within a deadline, so the process
 * leaves it to the kernel. Status 0: stopped as asked; 1: something failed; 2: the configuration is bad. */
_Noreturn void ingest_main(const struct heritage *heritage, const struct options *options,
                           bool dev);

#endif
