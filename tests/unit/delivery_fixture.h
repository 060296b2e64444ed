/* A worker over a real ring in this process, turned by hand: its connections have sockets that are full from the start,
 * so that what is queued to them can be looked at. Included once a program. */
#ifndef MOONX_TESTS_UNIT_DELIVERY_FIXTURE_H
#define MOONX_TESTS_UNIT_DELIVERY_FIXTURE_H

#include "common/clock.h"
#include "gateway/delivery/catchup.h"
#include "gateway/delivery/catchup_collect.h"
#include "gateway/delivery/event_receive.h"
#include "gateway/delivery/position_claim.h"
#include "gateway/delivery/sample.h"
#include "shm/ring_append.h"
#include "shm/snapshot_put.h"
#include "tests/unit/worker_fixture.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct ring_append writer;
static struct snapshot_put snapshots;
static int partition;
static int64_t next_offset;

static inline void set_up_ring(uint64_t bytes) {
    options = (struct options){.auto_join_rooms = "",
                               .ws_max_queue_bytes = 4096,
                               .worker_queue_bytes = 256 << 20,
                               .ws_max_message_bytes = 65536,
                               .ws_ping_interval = 30000,
                               .ws_slow_timeout = 30000,
                               .position_epoch = 1};
    worker_open_memory(bytes);
    ck_assert_int_eq(ring_append_open(&writer, &worker.view.segment), 0);
    ck_assert_int_eq(snapshot_put_open(&snapshots, &worker.view.segment), 0);
    partition = positions_intern(worker.view.segment.positions, SPAN_LITERAL("order.updates"), 0);
    ck_assert_int_eq(partition, 0);
    struct position *position = &worker.view.segment.positions->partitions[0];
    store_relaxed(&position->live_from, 10);
    store_relaxed(&position->whole_from, 10);
    store_relaxed(&position->next, 10);
    next_offset = 10;
    worker_open_parts();
    ck_assert_int_eq(ring_read_init(&worker.reader, &worker.view.segment), 0);
}

static inline void set_up(void) {
    clock_set_fake(1000000000ull, 1000000);
    set_up_ring(1 << 20);
}

static inline void tear_down(void) {
    ring_read_done(&worker.reader);
    snapshot_put_done(&snapshots);
    ring_append_done(&writer);
    worker_close();
}

/* Its socket is full from the start: what is queued stays, to be looked at. */
static inline struct conn *connect_user(const char *user) {
    struct conn *conn = worker_connect(user, worker_null_socket());
    conn->flags |= CONN_BLOCKED;
    return conn;
}

static inline void join(struct conn *conn, const char *room) {
    ck_assert_int_ge(conn_join(&worker, conn, span_of(room)), 0);
}

/* Into the ring; the envelope is the offset as text, `padding` bytes long with it. */
static inline struct record *reserve_in(const char *const *rooms, unsigned count, size_t padding) {
    size_t at = sizeof(struct record) + count * sizeof(struct record_room), names = 0;
    char text[32];
    size_t length = (size_t)snprintf(text, sizeof text, "%lld", (long long)next_offset);
    size_t envelope = padding > length ? padding : length;
    for (unsigned i = 0; i < count; i++) {
        names += strlen(rooms[i]);
    }
    struct record *record = ring_append_reserve(&writer, at + names + envelope);
    ck_assert_ptr_nonnull(record);
    memset((char *)record + 16, 0, record->length - 16);
    record->kind = RECORD_EVENT;
    record->flags = 0;
    record->offset = next_offset++;
    record->partition = (uint32_t)partition;
    record->room_count = (uint16_t)count;
    for (unsigned i = 0; i < count; i++) {
        struct span key;
        enum room_kind kind = room_name_kind(span_of(rooms[i]), &key);
        record->rooms[i] =
            (struct record_room){.hash = room_name_hash(&worker.view.segment.header->hash_key, key),
                                 .name_at = (uint32_t)at,
                                 .name_length = (uint16_t)key.length,
                                 .kind = (uint16_t)kind};
        memcpy((char *)record + at, key.data, key.length);
        at += key.length;
    }
    record->envelope_at = (uint32_t)at;
    record->envelope_length = (uint32_t)envelope;
    memset((char *)record + at, '.', envelope);
    memcpy((char *)record + at, text, length);
    return record;
}

static inline struct record *reserve(const char *room, size_t padding) {
    return reserve_in(&room, 1, padding);
}

static inline void put_padded(const char *room, size_t padding) {
    reserve(room, padding);
    ring_append_commit(&writer);
    ring_append_publish(&writer);
}

/* A value of a conflated route. */
static inline void put_value(const char *room, const char *key, size_t padding) {
    struct record *record = reserve(room, padding);
    record->flags = RECORD_FLAG_CONFLATED;
    uint32_t slot = snapshot_put_value(&snapshots, span_of(key), record, writer.reserved);
    ck_assert_uint_ne(slot, 0);
    record->snapshot_slot = slot;
    ring_append_commit(&writer);
    ring_append_publish(&writer);
}

static inline void put(const char *room) {
    put_padded(room, 0);
}

static inline void turn(void) {
    while (event_receive(&worker) || sample_turn(&worker) || catchup_turn(&worker)) {
    }
    conn_reap(&worker);
}

static inline void tick(uint64_t mono_ms) {
    clock_set_fake(mono_ms * 1000000, 1000000);
    catchup_tick(&worker);
    position_note(worker.position, worker.reader.cursor);
    turn();
}

/* Reads all that is queued: payloads, without what follows their first dot; what is JSON up to its data. */
static inline const char *take(struct conn *conn) {
    static char text[65536];
    char *out = text;
    struct iovec iov[64];
    *out = '\0';
    while (!outq_empty(&conn->queue)) {
        unsigned pieces = outq_gather(&worker.fanout->queues, &conn->queue, iov, 64);
        size_t taken = 0;
        for (unsigned i = 0; i < pieces; i++) {
            const unsigned char *at = iov[i].iov_base, *end = at + iov[i].iov_len;
            for (; at < end; at += frame_length_at(at)) {
                const char *payload = (const char *)at + (at[1] < 126 ? 2 : 4);
                size_t length = frame_length_at(at) - (at[1] < 126 ? 2 : 4);
                const char *data = memmem(payload, length, "\"data\":", 7);
                struct span shown = {payload, strcspn(payload, ".") < length ? strcspn(payload, ".")
                                                                             : length};
                if (data != NULL) {
                    shown = (struct span){data + 7, (size_t)(payload + length - 1 - data - 7)};
                }
                out += sprintf(out, SPAN_FORMAT " ", SPAN_ARGS(shown));
            }
            taken += iov[i].iov_len;
        }
        outq_consume(&worker.fanout->queues, &conn->queue, taken);
        if (conn->state == CONN_CATCHING) {
            catchup_written(&worker, conn);
        }
    }
    return text;
}

static inline void resume_at(struct conn *conn, const char *topics) {
    char text[256];
    struct position_claim *claim;
    snprintf(text, sizeof text, "{\"epoch\":\"1\",\"topics\":%s}", topics);
    cJSON *json = cJSON_Parse(text);
    ck_assert_int_eq(position_claim_new(json, "1", &claim), 0);
    cJSON_Delete(json);
    conn_resume(&worker, conn, claim, NULL);
}

/* Until its queue is full and it has fallen behind; the first offset that it lacks. */
static inline int64_t fall_behind(struct conn *conn, const char *room) {
    while (conn->state == CONN_LIVE) {
        put_padded(room, 500);
        turn();
    }
    ck_assert_int_eq(conn->state, CONN_CATCHING);
    return next_offset - 1;
}

#endif
