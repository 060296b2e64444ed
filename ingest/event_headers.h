/* What travels with an event beside its value: Kafka headers, as text, written by the host where a client published
 * and read by every host. Other producers may set them too. Pure; ingest only.
 *
 *   moonx-once       32 hexadecimal digits: of messages with the same one only the first counts (shm/once.h)
 *   moonx-sender     16 hexadecimal digits: the connection that does not get it; ids are unique over all hosts
 *   moonx-expiry     decimal: milliseconds since 1970 after which it is not delivered
 *   moonx-ephemeral  1: live only, no part of history
 *   moonx-host       16 hexadecimal digits: the host whose clients have had it (at_once.h): passed over there
 *
 * One that is not written exactly so counts as absent: a header never makes an event a bad one. */
#ifndef MOONX_INGEST_EVENT_HEADERS_H
#define MOONX_INGEST_EVENT_HEADERS_H

#include "shm/uplink.h"

#include <librdkafka/rdkafka.h>

struct event_headers {
    bool has_once;
    struct uplink_once once;
    uint64_t sender;   /* 0: none */
    int64_t expiry_ms; /* 0: never */
    bool ephemeral;
    uint64_t host; /* 0: none */
};

/* Those that say something are added. */
void event_headers_write(const struct event_headers *headers, rd_kafka_headers_t *to);
/* All absent where there are none (NULL). Of a header that stands twice the last one counts. */
void event_headers_read(const rd_kafka_headers_t *headers, struct event_headers *out);

#endif
