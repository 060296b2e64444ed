/* What the brokers' metadata means for consumption: topics and partitions that have appeared are begun, those that are
 * gone are taken out. Inner part of kafka_assign. Ingest's main thread only. */
#ifndef MOONX_INGEST_KAFKA_DISCOVER_H
#define MOONX_INGEST_KAFKA_DISCOVER_H

#include "ingest/kafka_assign.h"

void kafka_discover(struct kafka_assign *assign, const struct rd_kafka_metadata *metadata);

#endif
