#include "ingest/at_once.h"

#include "common/clock.h"

#include <inttypes.h>
#include <stdio.h>

void at_once_init(struct at_once *at_once, struct event_publish *publish,
                  const struct route *route) {
    *at_once = (struct at_once){
        .publish = publish, .route = route, .host = at_once_host(publish->writer->segment)};
    snprintf(at_once->label, sizeof(at_once->label), "live-%016" PRIx64, at_once->host);
}

/* The key itself stays on this host: who knows it can make rooms collide. */
uint64_t at_once_host(const struct segment *segment) {
    return siphash(&segment->header->hash_key, SPAN_LITERAL("moonx-host")) | 1;
}

bool at_once_show(struct at_once *at_once, const struct uplink_taken *taken) {
    struct event_publish *publish = at_once->publish;
    const struct ingest_block *ingest = publish->writer->segment->ingest;
    const struct event_source source = {.label = span_of(at_once->label),
                                        .partition = RECORD_NO_PARTITION,
                                        .offset = (int64_t)publish->writer->sequence + 1,
                                        .kafka_time_ms = clock_wall_ms(),
                                        .sender = taken->sender,
                                        .expiry_ms = taken->expiry_ms,
                                        .ephemeral = taken->ephemeral};

    if (at_once->route == NULL || (load_relaxed(&ingest->flags) & INGEST_PACED) != 0) {
        return false;
    }
    return event_publish_add(publish, at_once->route, &source, taken->value) == EVENT_OK;
}

void at_once_flush(struct at_once *at_once) {
    event_publish_flush(at_once->publish);
}
