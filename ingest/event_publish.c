#include "ingest/event_publish.h"

#include "common/clock.h"

static enum event_fault prepare(struct event_publish *publish, const struct route *route,
                                const struct event_source *source, struct span value,
                                struct event_wrap *wrap);
static void find_key(struct event_publish *publish, const struct route *route,
                     const struct event *event);
static int take_key(void *context, struct span result);
static void keep_value(struct event_publish *publish, const struct route *route,
                       struct record *record);
static enum event_fault append(struct event_publish *publish, const struct route *route,
                               const struct event_source *source, const struct event_wrap *wrap);
static enum record_kind record_kind(const struct route *route, const struct event_source *source);
static void fill_header(struct record *record, const struct route *route,
                        const struct event_source *source);
static void fill_rooms(struct record *record, const struct event_rooms *rooms);
static void add_to_wake(struct event_publish *publish, const struct route *route);

void event_publish_init(struct event_publish *publish, struct ring_append *writer,
                        struct worker_block *const *workers, const int *wake_fd,
                        unsigned worker_count) {
    *publish = (struct event_publish){.writer = writer,
                                      .stats = &writer->segment->ingest->stats,
                                      .flushed = writer->head,
                                      .flushed_sequence = writer->sequence,
                                      .workers = workers,
                                      .wake_fd = wake_fd,
                                      .worker_count = worker_count};
    wake_set_clear(&publish->wake);
}

enum event_fault event_publish_add(struct event_publish *publish, const struct route *route,
                                   const struct event_source *source, struct span value) {
    struct event_wrap wrap;
    enum event_fault fault = prepare(publish, route, source, value, &wrap);

    if (fault == EVENT_OK) {
        fault = append(publish, route, source, &wrap);
    }
    if (fault != EVENT_OK) {
        stats_add(publish->stats, STAT_EVENTS_REJECTED, 1);
    }
    return fault;
}

void event_publish_flush(struct event_publish *publish) {
    /* Not what ring_append_publish() returns: a large batch makes reserve publish in between. */
    uint64_t bytes = publish->writer->head - publish->flushed;

    (void)ring_append_publish(publish->writer);
    if (bytes == 0) {
        return;
    }
    publish->flushed = publish->writer->head;
    /* counted when they are visible: what a killed predecessor had only appended is appended again */
    stats_add(publish->stats, STAT_RING_RECORDS,
              publish->writer->sequence - publish->flushed_sequence);
    publish->flushed_sequence = publish->writer->sequence;
    stats_add(publish->stats, STAT_RING_BYTES, bytes);
    stats_add(publish->stats, STAT_RING_PUBLISHES, 1);
    stats_add(
        publish->stats, STAT_WAKES,
        wake_sleepers(&publish->wake, publish->workers, publish->wake_fd, publish->worker_count));
    wake_set_clear(&publish->wake);
}

static enum event_fault prepare(struct event_publish *publish, const struct route *route,
                                const struct event_source *source, struct span value,
                                struct event_wrap *wrap) {
    const struct siphash_key *hash_key = &publish->writer->segment->header->hash_key;
    struct event event;
    enum event_fault fault;

    /* Nor is it scanned: an event that long has no place to go. */
    if (value.length > ring_append_limit(publish->writer)) {
        return EVENT_SIZE;
    }
    fault = event_check(route, value, &event);
    if (fault != EVENT_OK) {
        return fault;
    }
    fault = event_rooms_find(hash_key, route, &event, &publish->rooms);
    if (publish->rooms.invalid > 0) {
        stats_add(publish->stats, STAT_ROOMS_INVALID, publish->rooms.invalid);
    }
    if (fault == EVENT_OK) {
        find_key(publish, route, &event);
        event_wrap_prepare(wrap, source, &event);
    }
    return fault;
}

/* An event whose key can't be told (a field is missing, or there are several) is one that counts by itself. */
static void find_key(struct event_publish *publish, const struct route *route,
                     const struct event *event) {
    publish->key_length = 0;
    if (route->conflate != NULL && publish->snapshots != NULL &&
        template_expand(route->conflate, event->data, take_key, publish, NULL) != 0) {
        publish->key_length = 0;
    }
}

static int take_key(void *context, struct span result) {
    struct event_publish *publish = context;

    if (publish->key_length != 0 || result.length > sizeof(publish->key)) {
        return -E2BIG;
    }
    memcpy(publish->key, result.data, result.length);
    publish->key_length = result.length;
    return 0;
}

/* Before the record is published: who has read it finds its value there (shm/snapshot_table.h). */
static void keep_value(struct event_publish *publish, const struct route *route,
                       struct record *record) {
    struct snapshot_put *snapshots = publish->snapshots;
    uint64_t evicted = snapshots->evicted;

    if (!route->lossless) { /* before the value is copied: it tells workers what it is */
        record->flags |= RECORD_FLAG_CONFLATED;
    }
    uint32_t slot = snapshot_put_value(snapshots, (struct span){publish->key, publish->key_length},
                                       record, publish->writer->reserved);

    stats_add(publish->stats, STAT_SNAPSHOT_EVICTED, snapshots->evicted - evicted);
    if (slot == 0) {
        record->flags &= (uint16_t)~RECORD_FLAG_CONFLATED;
        stats_add(publish->stats, STAT_SNAPSHOT_REFUSED, 1);
    } else if (!route->lossless) {
        record->snapshot_slot = slot;
    }
}

static enum event_fault append(struct event_publish *publish, const struct route *route,
                               const struct event_source *source, const struct event_wrap *wrap) {
    const struct event_rooms *rooms = &publish->rooms;
    size_t body = sizeof(struct record) + rooms->count * sizeof(struct record_room);
    size_t envelope_at = body + rooms->names_length;
    struct record *record;

    /* The envelope's own limit comes first, so that the sum can't overflow. */
    if (wrap->length > ring_append_limit(publish->writer)) {
        return EVENT_SIZE;
    }
    record = ring_append_reserve(publish->writer, envelope_at + wrap->length);
    if (record == NULL) {
        return EVENT_SIZE;
    }
    fill_header(record, route, source);
    fill_rooms(record, rooms);
    record->envelope_at = (uint32_t)envelope_at;
    record->envelope_length = (uint32_t)wrap->length;
    event_wrap_write(wrap, (char *)record + envelope_at);
    if (publish->key_length > 0) {
        keep_value(publish, route, record);
    }
    ring_append_commit(publish->writer);
    if (source->history) {
        stats_add(publish->stats, STAT_HISTORY_RECORDS, 1);
    } else {
        add_to_wake(publish, route);
    }
    return EVENT_OK;
}

/* What the gateway is to do counts whenever it was said. */
static enum record_kind record_kind(const struct route *route, const struct event_source *source) {
    if (route->kind == ROUTE_CONTROL) {
        return RECORD_CONTROL;
    }
    return source->history ? RECORD_HISTORY : RECORD_EVENT;
}

/* Length and sequence are the ring's own. */
static void fill_header(struct record *record, const struct route *route,
                        const struct event_source *source) {
    record->kind = record_kind(route, source);
    record->flags = source->ephemeral ? RECORD_FLAG_EPHEMERAL : 0;
    record->offset = source->offset;
    record->partition = source->partition;
    record->sample_ms = route->sample_ms;
    record->kafka_time_ms = source->kafka_time_ms;
    record->ingest_time_ns = clock_mono_ns();
    record->sender = source->sender;
    record->expiry_ms = source->expiry_ms;
    record->former = 0;
    record->checksum = 0;
    record->snapshot_slot = 0;
}

static void fill_rooms(struct record *record, const struct event_rooms *rooms) {
    uint32_t names_at = (uint32_t)(sizeof(*record) + rooms->count * sizeof(struct record_room));

    record->room_count = (uint16_t)rooms->count;
    for (unsigned i = 0; i < rooms->count; i++) {
        record->rooms[i] = (struct record_room){.hash = rooms->list[i].hash,
                                                .name_at = names_at + rooms->list[i].name_at,
                                                .name_length = rooms->list[i].name_length,
                                                .kind = rooms->list[i].kind};
    }
    memcpy((char *)record + names_at, rooms->names, rooms->names_length);
}

static void add_to_wake(struct event_publish *publish, const struct route *route) {
    if (route->kind == ROUTE_CONTROL) {
        publish->wake.everyone = true;
    }
    for (unsigned i = 0; i < publish->rooms.count; i++) {
        wake_set_add(&publish->wake, publish->rooms.list[i].hash);
    }
}
