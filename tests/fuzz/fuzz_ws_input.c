/* libFuzzer: what a WebSocket client sends, whole and cut. The first two bytes choose the cuts, the rest is the
 * stream. Both times the connection must have queued the same and stand in the same state; nothing lent or
 * queued may stay behind.
 * clang -fsanitize=fuzzer,address,undefined */
#include "common/log.h"
#include "gateway/connection/conn_table.h"
#include "gateway/connection/ws_events.h"
#include "gateway/delivery/fanout.h"
#include "gateway/delivery/position.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())
#define MAX_INPUT          8192
#define MAX_OUTCOME        (1u << 20)

static struct worker worker;
static struct options options;

static void set_options(void) {
    struct option_command command;
    char error[256], *argv[] = {(char[]){"fuzz"}, NULL};
    REQUIRE(option_parse(1, argv, &options, &command, error, sizeof error) == 0);
    options.jwt_secret = "0123456789abcdef0123456789abcdef";
    options.auto_join_rooms = "prices";
    options.ws_max_message_bytes = 1000;
    worker.options = &options;
}

static void init(void) {
    int segment_fd, block_fd;
    char error[256];
    log_init("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_JSON);
    set_options();
    REQUIRE(auth_new(&options, false, &worker.auth, error, sizeof error) == 0);
    REQUIRE(segment_create(4096, 0, &segment_fd) == 0);
    REQUIRE(segment_map(segment_fd, true, &worker.view.segment) == 0);
    REQUIRE(worker_block_create(&block_fd) == 0);
    REQUIRE(worker_block_map(block_fd, true, &worker.block) == 0);
    worker.stats = &worker.block->stats;
    REQUIRE(conn_table_new(&worker, &worker.conns) == 0);
    REQUIRE(position_view_new(&worker.view.segment, 1, &worker.position) == 0);
    REQUIRE(fanout_new(&worker, &worker.fanout) == 0);
    REQUIRE(ws_pool_new(&worker.ws_pool) == 0);
}

static struct conn *open_conn(void) {
    uint32_t index = slab_take(&worker.conns->slab);
    REQUIRE(index != 0);
    struct conn *conn = conn_at(&worker, index);
    conn->self = index;
    conn->fd = -1;
    conn_set_state(&worker, conn, CONN_PENDING);
    struct identity identity = {.user_id = "ann", .expires_ms = INT64_MAX / 4};
    REQUIRE(conn_set_identity(&worker, conn, &identity) == 0);
    return conn;
}

struct outcome {
    char text[MAX_OUTCOME];
    size_t length;
};

static void say(struct outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct outcome *outcome, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(outcome->text + outcome->length, MAX_OUTCOME - outcome->length, format,
                            arguments);
    va_end(arguments);
    REQUIRE(written >= 0 && (size_t)written < MAX_OUTCOME - outcome->length);
    outcome->length += (size_t)written;
}

/* Replies by type and code: their ids and times differ from one run to the next. */
static void say_reply(struct outcome *outcome, const char *payload, size_t length) {
    static const char *const members[] = {"\"type\":\"", "\"code\":\"", "\"channel\":\""};
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        const char *at = memmem(payload, length, members[i], strlen(members[i]));
        if (at != NULL) {
            at += strlen(members[i]);
            const char *end = memchr(at, '"', length - (size_t)(at - payload));
            REQUIRE(end != NULL);
            say(outcome, "%.*s ", (int)(end - at), at);
        }
    }
}

static void say_frame(struct outcome *outcome, const unsigned char *frame, size_t length) {
    size_t header = frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : 10;
    say(outcome, "%02x ", frame[0]);
    if (frame[0] == 0x81) {
        say_reply(outcome, (const char *)frame + header, length - header);
        return;
    }
    REQUIRE(frame[0] == 0x88 || frame[0] == 0x8a);
    REQUIRE(header == 2);
    for (size_t i = header; i < length && (i < 4 || frame[0] == 0x8a); i++) {
        say(outcome, "%02x", frame[i]);
    }
    say(outcome, " ");
}

static void describe(const struct conn *conn, struct outcome *outcome) {
    static struct iovec iov[4096];
    unsigned pieces = outq_gather(&worker.fanout->queues, &conn->queue, iov, ARRAY_LENGTH(iov));
    outcome->length = 0;
    for (unsigned i = 0; i < pieces; i++) {
        const unsigned char *at = iov[i].iov_base, *end = at + iov[i].iov_len;
        for (; at < end; at += frame_length_at(at)) {
            REQUIRE(frame_length_at(at) <= (size_t)(end - at));
            say_frame(outcome, at, frame_length_at(at));
        }
    }
    say(outcome, "state %d rooms %u lent %d", conn->state, conn->room_count, conn->input != NULL);
}

static void run(const uint8_t *data, size_t size, const uint8_t *cuts, struct outcome *outcome) {
    struct conn *conn = open_conn();
    uint32_t chance = cuts == NULL ? 0 : 1u + cuts[0] + 256u * cuts[1];
    for (size_t at = 0; at < size;) {
        chance = chance * 1664525u + 1013904223u;
        size_t piece = cuts == NULL ? size : cuts[0] < 128 ? 1 + cuts[0] : 1 + (chance >> 16) % 40;
        piece = piece < size - at ? piece : size - at;
        if (conn->state != CONN_DEAD && !(conn->flags & CONN_CLOSE_RECEIVED)) {
            unsigned char *copy = malloc(piece);
            REQUIRE(copy != NULL);
            memcpy(copy, data + at, piece);
            ws_events_feed(&worker, conn, copy, piece);
            free(copy);
        }
        at += piece;
    }
    describe(conn, outcome);
    conn_kill(&worker, conn);
    conn_reap(&worker);
    REQUIRE(worker.fanout->queues.bytes == 0 && worker.fanout->queues.nodes.used == 0);
    REQUIRE(worker.fanout->rooms.rooms.used == 0 && worker.fanout->users.users.used == 0);
    REQUIRE(stats_get(worker.stats, STAT_CONNECTIONS) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct outcome whole, cut;
    if (worker.options == NULL) {
        init();
    }
    if (size < 3 || size > MAX_INPUT) {
        return 0;
    }
    run(data + 2, size - 2, NULL, &whole);
    run(data + 2, size - 2, data, &cut);
    if (strcmp(whole.text, cut.text) != 0) {
        fprintf(stderr, "whole: %s\ncut:   %s\n", whole.text, cut.text);
        abort();
    }
    return 0;
}
