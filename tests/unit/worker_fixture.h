/* A worker in this process without a loop: shared memory, connections, rooms and queues, nobody behind them. The test
 * fills `options` first. Included once a program. */
#ifndef MOONX_TESTS_UNIT_WORKER_FIXTURE_H
#define MOONX_TESTS_UNIT_WORKER_FIXTURE_H

#include "gateway/connection/conn_table.h"
#include "gateway/connection/ws_pool.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/position.h"

#include <check.h>
#include <fcntl.h>
#include <unistd.h>

static struct worker worker;
static struct options options;
static int segment_fd, block_fd;

/* An empty ring of so many bytes, and a block. */
static inline void worker_open_memory(uint64_t ring_bytes) {
    memset(&worker, 0, sizeof worker);
    worker.options = &options;
    ck_assert_int_eq(segment_create(ring_bytes, 0, &segment_fd), 0);
    ck_assert_int_eq(segment_map(segment_fd, true, &worker.view.segment), 0);
    ck_assert_int_eq(worker_block_create(&block_fd), 0);
    ck_assert_int_eq(worker_block_map(block_fd, true, &worker.block), 0);
    worker.stats = &worker.block->stats;
}

/* Once the ring is as the worker finds it. */
static inline void worker_open_parts(void) {
    ck_assert_int_eq(conn_table_new(&worker, &worker.conns), 0);
    ck_assert_int_eq(position_view_new(&worker.view.segment, 1, &worker.position), 0);
    ck_assert_int_eq(fanout_new(&worker, &worker.fanout), 0);
    ck_assert_int_eq(ws_pool_new(&worker.ws_pool), 0);
}

static inline void worker_open(uint64_t ring_bytes) {
    worker_open_memory(ring_bytes);
    worker_open_parts();
}

/* Buries all connections; nothing of them may stay. */
static inline void worker_close(void) {
    static const enum stat_id gauges[] = {STAT_SOCKETS,         STAT_CONNECTIONS,
                                          STAT_AUTHENTICATED,   STAT_PENDING_AUTH,
                                          STAT_TLS_CONNECTIONS, STAT_CATCHING};
    conn_table_free(&worker, worker.conns);
    for (unsigned i = 0; i < ARRAY_LENGTH(gauges); i++) {
        ck_assert_uint_eq(stats_get(worker.stats, gauges[i]), 0);
    }
    ck_assert_uint_eq(worker.fanout->queues.bytes, 0);
    ck_assert_uint_eq(worker.fanout->users.users.used, 0);
    ck_assert_uint_eq(worker.fanout->rooms.rooms.used, 0);
    ck_assert_uint_eq(worker.fanout->rooms.nodes.used, 0);
    for (unsigned i = 0; i < ARRAY_LENGTH(worker.block->interest); i++) {
        ck_assert_uint_eq(load_relaxed(&worker.block->interest[i]), 0);
    }
    fanout_free(worker.fanout);
    ws_pool_free(worker.ws_pool);
    position_view_free(worker.position);
    worker_block_unmap(worker.block);
    segment_unmap(&worker.view.segment);
    close(segment_fd);
    close(block_fd);
}

/* A connection of that user, authenticated; fd -1: it has no socket at all. */
static inline struct conn *worker_connect(const char *user, int fd) {
    uint32_t index = slab_take(&worker.conns->slab);
    struct conn *conn = conn_at(&worker, index);
    struct identity identity = {.expires_ms = INT64_MAX / 4};

    conn->self = index;
    conn->fd = fd;
    conn->id = worker.conns->id_base + ++worker.conns->id_counter;
    conn_set_state(&worker, conn, CONN_PENDING);
    ck_assert_uint_lt(strlen(user), sizeof identity.user_id);
    strcpy(identity.user_id, user);
    ck_assert_int_eq(conn_set_identity(&worker, conn, &identity), 0);
    return conn;
}

/* A socket that takes nothing and gives nothing. */
static inline int worker_null_socket(void) {
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

#endif
